"""Prints, for one DAG file, how long Airflow needs to parse it and what it pulls in; a process of its own, as Airflow's parser forks one."""

import json
import sys
import time
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag

file = Path(sys.argv[1])
sys.path.insert(0, str(file.parent))
start = time.perf_counter()
bag = DagBag(file)
seconds = time.perf_counter() - start
imported = sorted({name.split(".")[0] for name in sys.modules})
print(json.dumps({"seconds": seconds, "imported": imported, "dags": len(bag.dags), "errors": list(bag.import_errors.values())}))
