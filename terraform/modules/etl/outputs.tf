output "glue_job_name" {
  description = "Name of the Glue job."
  value       = aws_glue_job.ratings.name
}

output "glue_connection_name" {
  description = "Name of the Glue connection to the source database."
  value       = aws_glue_connection.source.name
}

output "catalog_database" {
  description = "Name of the database in the Glue Data Catalog."
  value       = aws_glue_catalog_database.this.name
}

output "catalog_table" {
  description = "Name of the training data's table in that database."
  value       = aws_glue_catalog_table.ratings.name
}

output "source_database_host" {
  description = "Host name of the source database."
  value       = local.source.host
}

output "source_database_port" {
  description = "TCP port of the source database."
  value       = local.source.port
}

output "source_database_name" {
  description = "Schema of the source database."
  value       = local.source.name
}

output "source_database_secret_arn" {
  description = "ARN of the secret with the source database's user name and password."
  value       = local.source.secret_arn
}

output "alerts_topic_arn" {
  description = "ARN of the SNS topic that is told of failed runs, and of alarms whose names start with the prefix; subscribe to it."
  value       = aws_sns_topic.alerts.arn
}

output "load_job_name" {
  description = "Name of the Glue job that loads embeddings."
  value       = aws_glue_job.embeddings.name
}

output "load_results_url" {
  description = "s3:// prefix under which each of its runs leaves its report and rejected rows."
  value       = local.results_url
}
