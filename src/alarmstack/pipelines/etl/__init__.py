"""The ETL job. In: historian files. Out: a run of feature tables in the store."""
