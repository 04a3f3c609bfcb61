"""Entry points that run on Spark, in Glue jobs. Each is one file that is uploaded as it is."""
