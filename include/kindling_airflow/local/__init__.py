"""The whole thing on one machine without Docker: PostgreSQL, Airflow, shop, inference and MLflow as processes.

`python -m kindling_airflow.local run|up|down|status` is what `make` calls.
"""
