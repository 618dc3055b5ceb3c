"""The SQL of a dbt model with its references replaced by views, so that a model runs on invented tables in one Spark session."""

from collections.abc import Callable

import jinja2
import yaml
from pyspark.sql import SparkSession

from spark_jobs.build import PROJECT

VARIABLES = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
MACROS = (PROJECT / "macros" / "ratio.sql").read_text(encoding="utf-8")


def view(spark: SparkSession, model: str, given: set[str], change: Callable[[str, str], str] = lambda model, sql: sql) -> None:
    """A temporary view of the model's name, on top of the views of what it reads; `given` ones stand already, as does every source."""
    (file,) = (PROJECT / "models").rglob(f"{model}.sql")
    made = set(given)

    def ref(name: str) -> str:
        if name not in made:
            made.add(name)
            view(spark, name, made, change)
        return name

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    text = environment.from_string(MACROS + file.read_text(encoding="utf-8")).render(
        ref=ref, source=lambda schema, table: f"{schema}_{table}", config=lambda **_: "", var=VARIABLES.__getitem__
    )
    spark.sql(change(model, text)).createOrReplaceTempView(model)
