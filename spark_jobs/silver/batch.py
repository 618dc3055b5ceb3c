"""Bronze → silver for the files of one batch: read once, corrected, then written table by table, `silver.claim` last.

Every table is replaced for exactly these files, so that a run that was killed is repeated with the same result.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from spark_jobs import delta
from spark_jobs.landing.finding import Finding
from spark_jobs.settings import Settings
from spark_jobs.silver import claim, claim_diagnosis, claim_drug, claim_payer, duplicate, facility, final_line, finding, person, receipt
from spark_jobs.tables import CLAIM, CLAIM_DIAGNOSIS, CLAIM_DRUG, CLAIM_PAYER, FACILITY, PERSON, Table

if TYPE_CHECKING:
    from spark_jobs.landing.delivery import DeliveredFile


def run(spark: SparkSession, settings: Settings, files: "Sequence[DeliveredFile]") -> None:
    """Write all silver tables for these files."""
    if files:
        finding.write(settings, _write_claims(spark, settings, files), files)


def _write_claims(spark: SparkSession, settings: Settings, files: "Sequence[DeliveredFile]") -> list[Finding]:
    """The tables of claims, persons and facilities; returns what was found."""
    numbered = final_line.number(spark, files)
    lines = final_line.read(spark, files, numbered)
    forms = {x.claim_form for x in files}
    corrected = final_line.correct(lines).persist() if "insurer" in forms else None
    ordered = final_line.order(lines.where("receipt_seq > 0"), corrected)
    providers = final_line.providers(lines) if "claim" in forms else None
    claims = claim.identify(claim.read(receipt.nest(ordered, numbered), providers)).persist()
    first = claims.where("is_first")

    month, insurer = f.col("service_month"), f.col("insurer_number")
    (seen,) = claims.agg(f.min(month).alias("first"), f.max(month).alias("last"), f.collect_set(insurer).alias("insurers")).collect()
    insurers = sorted(seen.insurers)
    of_insurers = f"(insurer_number is null or {delta.condition({'insurer_number': insurers})})"  # claims of public payers only have none
    scope = f"service_month between {seen.first or 0} and {seen.last or 0} and {of_insurers}"
    held = duplicate.of_lake(spark, first, scope, [x.file_sha256 for x in files])
    if held is not None:
        duplicate.remove(spark, held.where("not is_beaten"), scope)
        first = first.join(held.where("is_beaten"), "claim_key", "left_anti")

    replaced: delta.Where = {"claim_month": {x.claim_month for x in files}, "file_sha256": {x.file_sha256 for x in files}}
    _replace(settings, CLAIM_DRUG, claim_drug.read(first), replaced)
    _replace(settings, CLAIM_DIAGNOSIS, claim_diagnosis.read(first), replaced)
    _replace(settings, CLAIM_PAYER, claim_payer.read(first), replaced)
    if insurers:
        _replace(settings, PERSON, person.read(spark, first, insurers), {"insurer_number": insurers})
    _replace(settings, FACILITY, facility.read(spark, first), {})
    _replace(settings, CLAIM, CLAIM.shaped(first), replaced)

    found = list(finding.points(claims))
    if corrected is not None:
        found += finding.missing_targets(corrected, numbered)
    for frame in (claims, corrected, held):
        if frame is not None:
            frame.unpersist()
    return found


def _replace(settings: Settings, table: Table, rows: DataFrame, where: delta.Where) -> None:
    """What `where` names is replaced; where there is nothing yet, appended, which costs half."""
    writer = rows.hint("rebalance", *table.partition_by).writeTo(table.name)
    if delta.is_empty(settings, table, where):
        writer.append()
    else:
        writer.overwrite(f.expr(delta.condition(where)))
