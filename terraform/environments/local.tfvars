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

create_source_database = true

etl = {
  # The database on the laptop listens on loopback and has no certificate to verify.
  enforce_source_tls = false
}

load = {
  enforce_database_tls = false
}

functions = {
  enforce_database_tls = false
}

streaming = {
  # Whoever watches does not want to wait.
  transform_buffer_seconds = 1
  delivery_buffer_seconds  = 5
}
