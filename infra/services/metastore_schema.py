"""Create the tables of the Hive metastore in PostgreSQL, all in one call and before anybody uses it.

usage: metastore_schema.py DRIVER_JAR JDBC_URL USER PASSWORD_FILE. DataNucleus left to create them on first use locks itself out for ever
on PostgreSQL (docs/decisions/0009), and PySpark's Hive carries no SQL script.
"""

import re
import sys
from pathlib import Path
from zipfile import ZipFile

import pyspark
from pyspark.conf import SparkConf
from pyspark.java_gateway import launch_gateway

PROPERTIES = {
    "javax.jdo.PersistenceManagerFactoryClass": "org.datanucleus.api.jdo.JDOPersistenceManagerFactory",
    "javax.jdo.option.ConnectionDriverName": "org.postgresql.Driver",
    "datanucleus.schema.autoCreateAll": "true",
    "datanucleus.schema.validateTables": "false",
    "datanucleus.schema.validateColumns": "false",
    "datanucleus.schema.validateConstraints": "false",
    "datanucleus.rdbms.useLegacyNativeValueStrategy": "true",
    "datanucleus.identifierFactory": "datanucleus1",
    "datanucleus.connectionPoolingType": "None",
    "datanucleus.autoStartMechanismMode": "ignored",
    "datanucleus.plugin.pluginRegistryBundleCheck": "LOG",
}


def main(driver: str, url: str, user: str, password_file: str) -> None:
    (hive,) = (Path(pyspark.__file__).parent / "jars").glob("hive-metastore-*.jar")
    models = re.findall(r'<class name="(\w+)"', ZipFile(hive).read("package.jdo").decode())
    gateway = launch_gateway(SparkConf().set("spark.driver.extraClassPath", driver))
    java = gateway.jvm
    properties = java.java.util.Properties()
    own = {"ConnectionURL": url, "ConnectionUserName": user, "ConnectionPassword": Path(password_file).read_text(encoding="utf-8")}
    for name, value in (PROPERTIES | {f"javax.jdo.option.{name}": value for name, value in own.items()}).items():
        properties.setProperty(name, value)
    factory = java.javax.jdo.JDOHelper.getPersistenceManagerFactory(properties)
    names = java.java.util.HashSet()
    for model in models:
        names.add(f"org.apache.hadoop.hive.metastore.model.{model}")
    factory.getNucleusContext().getStoreManager().createSchemaForClasses(names, java.java.util.Properties())
    factory.close()
    gateway.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
