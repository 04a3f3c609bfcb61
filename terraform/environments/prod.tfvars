# Survives the loss of a zone, is restorable for a month, and cannot be deleted by accident.

network = {
  availability_zone_count = 3
  # What a Glue job needs besides S3: its credentials, its catalog, its logs and metrics. The functions need secretsmanager.
  interface_endpoints = ["glue", "logs", "monitoring", "secretsmanager"]
}

storage = {
  force_destroy           = false
  noncurrent_version_days = 90
}

database = {
  instance_class            = "db.r7g.xlarge" # 32 GiB: an index over 4 million vectors of 384 dimensions is built in memory
  multi_az                  = true
  allocated_storage_gib     = 100
  max_allocated_storage_gib = 1000
  backup_retention_days     = 30
  deletion_protection       = true
  skip_final_snapshot       = false
}

# The database the ETL job reads. A deploy stops with a message until it is named here.
# source_database = {
#   host              = "mysql.example.internal"
#   name              = "classicmodels"
#   secret_arn        = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mysql-reader"
#   security_group_id = "sg-0123456789abcdef0"
# }

functions = {
  log_retention_days = 90
}

streaming = {
  retention_hours         = 168  # a week in which Firehose may be stopped
  memory_mb               = 1769 # one processor
  delivery_buffer_mib     = 64
  delivery_buffer_seconds = 300
  compression             = "GZIP"
}

inference = {
  memory_mb = 1769 # one processor
}

etl = {
  worker_count = 5
  max_retries  = 1
  schedule     = "cron(15 2 * * ? *)"
}
