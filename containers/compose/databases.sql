-- Beside the product's own database: MLflow's, and last Airflow's, which the health check asks for.
CREATE DATABASE mlflow;
CREATE DATABASE airflow;
