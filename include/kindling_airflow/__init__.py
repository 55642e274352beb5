"""The Airflow side: everything that knows both the scheduler and the names of the stages.

Of the product it imports `kindling.catalog` alone; what a stage does is none of its business.
"""
