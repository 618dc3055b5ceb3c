"""The closed list of tags. A DAG with another one fails its test, so that filters in the Airflow UI keep their meaning."""

from enum import StrEnum


class Tag(StrEnum):
    INGEST = "ingest"  # files of insurers come in
    BUILD = "build"  # silver becomes marts
    PUBLISH = "publish"  # marts become what readers see
    ROLLOUT = "rollout"  # regions move on
    CARE = "care"  # official lists, tables
    REGION = "region"  # one DAG per file of config/regions
