"""Make a bare machine ready: Java 17, the virtual environments, the two Delta jars. Called by `make setup`; a second call does nothing.

Plain Python 3.11, no packages: it runs before any is installed. What it installs is pinned in requirements/ (versions and hashes) and
infra/spark/delta_jars.sha256. A stamp in each environment holds the hash of what was installed, so that nothing is fetched twice.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
JAVA_PACKAGES = {"apt-get": "openjdk-17-jre-headless", "dnf": "java-17-openjdk-headless", "brew": "openjdk@17"}


def stop(message: str) -> None:
    sys.exit(f"setup: {message}")


def run(*command: str | Path, **kwargs) -> None:
    done = subprocess.run([str(c) for c in command], cwd=ROOT, **kwargs)
    if done.returncode:
        stop(f"`{Path(str(command[0])).name} {' '.join(map(str, command[1:]))}` ended with {done.returncode}; see above")


def check_python() -> None:
    if sys.version_info[:2] != (3, 11):
        stop(
            f"Python is {sys.version.split()[0]}; needed: 3.11 (PySpark 4.2 and Airflow 3.3 are pinned for it). "
            "Install python3.11 and call make again."
        )


def java_version() -> int | None:
    """The major version of the Java that Spark would use: JAVA_HOME first, then the path."""
    java = Path(os.environ["JAVA_HOME"], "bin", "java") if os.environ.get("JAVA_HOME") else shutil.which("java")
    if not java or not Path(java).exists():
        return None
    text = subprocess.run([java, "-version"], capture_output=True, text=True).stderr
    found = re.search(r'version "(\d+)', text)
    return int(found[1]) if found else None


def ensure_java() -> None:
    version = java_version()
    if version == 17:
        return
    if version is not None:
        stop(f"Java is {version}; needed: 17 (Spark 4.2). Point JAVA_HOME to a Java 17 and call make again.")
    for tool, package in JAVA_PACKAGES.items():
        if shutil.which(tool) and (os.geteuid() == 0 or tool == "brew"):
            print(f"setup: Java 17 is missing; installing {package} with {tool}", flush=True)
            if tool == "apt-get":
                run(tool, "update", "-qq")
            run(tool, "install", "-y", package)
            if java_version() == 17:
                return
    stop("Java 17 is missing; install a Java 17 runtime (Debian: openjdk-17-jre-headless) and call make again.")


def digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()


def ensure_environment(folder: str, lock: str, editable: bool) -> bool:
    """Fill a virtual environment from its lock file; True if anything was done."""
    venv, lock_file, stamp = ROOT / folder, ROOT / "requirements" / lock, ROOT / folder / ".installed"
    wanted = digest(lock_file, ROOT / "requirements" / "uv.txt")
    if stamp.exists() and stamp.read_text() == wanted:
        return False
    print(f"setup: {folder} from requirements/{lock} (a minute or two, once)", flush=True)
    python = venv / "bin" / "python"
    if not python.exists():
        run(sys.executable, "-m", "venv", venv)
    quiet = {"stdout": subprocess.DEVNULL}
    run(python, "-m", "pip", "install", "-q", "--require-hashes", "-r", ROOT / "requirements" / "uv.txt", **quiet)
    # uv itself is not in every lock: run a copy from outside the environment that `sync` empties
    uv = venv / ".uv"
    shutil.copy2(venv / "bin" / "uv", uv)
    run(uv, "pip", "sync", "-q", "--require-hashes", "--python", python, lock_file)
    if editable:
        run(uv, "pip", "install", "-q", "--python", python, "--no-deps", "--no-build-isolation", "-e", ROOT)
    uv.unlink()
    stamp.write_text(wanted)
    return True


def ensure_jars(what: str, place: Path, told: str) -> bool:
    """Those of infra/spark/WHAT_jars.sha256, into a folder."""
    lines = (ROOT / "infra" / "spark" / f"{what}_jars.sha256").read_text().splitlines()
    if all((place / line.split()[1]).exists() for line in lines if line):
        return False
    print(f"setup: {told}", flush=True)
    command = [ROOT / ".venv" / "bin" / "python", ROOT / "infra" / "spark" / "fetch_jars.py", place, what]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        stop(f"the jars could not be fetched: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    return True


def ensure_compiler() -> None:
    """The lake server's Thrift door is closed by a class of ours, compiled at the first start."""
    if shutil.which("javac") or (os.environ.get("JAVA_HOME") and Path(os.environ["JAVA_HOME"], "bin", "javac").exists()):
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        run("apt-get", "install", "-y", "openjdk-17-jdk-headless", stdout=subprocess.DEVNULL)
    if not shutil.which("javac"):
        stop("javac is missing; install a Java 17 development kit (Debian: openjdk-17-jdk-headless) and call make again.")


def main() -> None:
    arg = argparse.ArgumentParser(description=__doc__)
    arg.add_argument("--airflow", action="store_true", help="also .venv-airflow (make test and the services need it)")
    arg.add_argument("--services", action="store_true", help="also what make services needs: .venv-airflow, a driver, a compiler")
    arg.add_argument("--storage", action="store_true", help="also what tables on S3-compatible storage need: Hadoop's S3A")
    options = arg.parse_args()
    check_python()
    ensure_java()
    done = ensure_environment(".venv", "lake.txt", editable=True)
    jars = next((ROOT / ".venv" / "lib").glob("python3*/site-packages/pyspark/jars"))
    done = ensure_jars("delta", jars, "the two Delta jars (10 MB, once)") or done
    if options.services:
        done = ensure_jars("service", ROOT / ".jars", "the PostgreSQL driver of the metastore (1 MB, once)") or done
        ensure_compiler()
    if options.storage:
        done = ensure_jars("storage", ROOT / ".jars" / "storage", "S3A for tables on S3-compatible storage (690 MB, once)") or done
    if options.airflow or options.services:
        done = ensure_environment(".venv-airflow", "airflow.txt", editable=False) or done
    if done:
        print("setup: ready", flush=True)


if __name__ == "__main__":
    main()
