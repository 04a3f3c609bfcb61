# For trying things out on AWS: small, on a single machine, and destroyed without questions.

network = {
  # What a Glue job needs besides S3: its credentials, its catalog, its logs and metrics. The functions need secretsmanager.
  interface_endpoints = ["glue", "logs", "monitoring", "secretsmanager"]
}

storage = {
  force_destroy                  = true
  noncurrent_version_days        = 7
  recommendations_retention_days = 30
}

database = {
  instance_class        = "db.t4g.medium" # 4 GiB: an index over 500,000 vectors of 384 dimensions is built in memory
  backup_retention_days = 1
  apply_immediately     = true
  deletion_protection   = false
  skip_final_snapshot   = true
}

create_source_database = true
