# The laptop: nothing here has to outlive it.

storage = {
  force_destroy = true
}

database = {
  backup_retention_days = 1
  apply_immediately     = true
  deletion_protection   = false
  skip_final_snapshot   = true
}
