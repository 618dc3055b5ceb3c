"""The contracts in the docs are those of the code."""

from pathlib import Path

import pytest

from spark_jobs.masters import facility, load
from spark_jobs.members import member_file
from spark_jobs.rollout import action

DOCS = (Path(__file__).parents[2] / "docs" / "input_contracts.md").read_text(encoding="utf-8")
CONTRACTS = (member_file.CONTRACT, facility.CONTRACT, action.CONTRACT)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.title)
def test_the_docs_show_the_contract(contract):
    assert f"### {contract.title}" in DOCS
    assert contract.table() in DOCS


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.title)
def test_the_example_of_a_field_obeys_its_rule(contract):
    for field in contract.fields:
        assert (field.parse(field.example) is not None) if field.example else not field.is_required, field.name


@pytest.mark.parametrize("kind", load.KINDS)
def test_every_kind_of_list_is_in_the_docs(kind):
    assert f"`{kind}`" in DOCS or f"load {kind} " in DOCS
