"""Where things are and how much of the machine they may use.

Precedence: a command's option, then an environment variable `LAKE_…`, then a line in `.env`, then the default below.
No default for a secret: keys and passwords are files in `secrets`, made by `lake keys create` and at the first start of the serving store.
"""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from upath import UPath


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="LAKE_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    home: Path = Field(default=Path(".lake"), description="the lake folder: tables, catalog, serving store, reports, logs")
    storage: str | None = Field(
        default=None,
        pattern="^s3a://[^/]+",
        description="where the tables are: s3a://bucket/folder on S3-compatible storage (AWS_… variables say where and who); none: in home",
    )
    config: Path = Field(default=Path("config"), description="insurers, regions (this project's are the demo consortium's)")
    secrets: Path = Field(default=Path(".lake-secrets"), description="keys and passwords, mode 700, never under home")
    inbox: Path = Field(default=Path("inbox"), description="where insurers drop deliveries: inbox/<insurer_number>/…; read by Airflow")
    cores: int = Field(default=0, ge=0, description="cores for embedded Spark and for reading receipts; 0 = all")
    driver_memory_gib: int = Field(default=3, ge=1, description="heap of embedded Spark, GiB")
    shuffle_partitions: int = Field(default=4, ge=1, description="raise with data: about 200 MB each")
    wait_seconds: int = Field(default=30, ge=0, description="how long to wait for another process that holds the lake")
    spark_master: str | None = Field(
        default=None,
        description="a Spark cluster, spark://host:port; none: Spark in this process, receipts by processes of this machine",
    )
    spark_remote: str | None = Field(
        default=None,
        description="the lake server, sc://localhost:port (make services); its token is a file in secrets; none: embedded Spark",
    )
    event_log: Path | None = Field(default=None, description="folder for Spark's event log; none by default")
    spark: tuple[str, ...] = Field(
        default=(), description='more Spark settings, a JSON list of "name=value"; they win over the lake\'s own'
    )

    @property
    def home_path(self) -> Path:
        return self.home.expanduser().resolve()

    @property
    def has_executors(self) -> bool:
        """Whether Spark's executors read receipts, or processes of this machine."""
        return bool(self.spark_master or self.spark_remote)

    @property
    def warehouse(self) -> UPath:
        if self.storage:
            return UPath(self.storage, use_listings_cache=False)  # Spark makes tables that a kept listing would not know
        return UPath(self.home_path / "warehouse")

    @property
    def secrets_path(self) -> Path:
        return self.secrets.expanduser().resolve()

    @property
    def reports(self) -> Path:
        return self.home_path / "reports"

    def table_path(self, table: str) -> UPath:
        """Folder of `schema.table`, as readers outside Spark open it: these take its text."""
        schema, name = table.split(".")
        return self.warehouse / f"{schema}.db" / name
