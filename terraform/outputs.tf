# What the CLI reads after every deploy. The names are a contract with vectorops/infra.

output "environment" {
  description = "Name of this deployment."
  value       = var.environment
}

output "region" {
  description = "AWS region of this deployment."
  value       = var.region
}

output "vpc_id" {
  description = "Id of the VPC."
  value       = module.network.vpc_id
}

output "private_subnet_ids" {
  description = "Ids of the private subnets, ordered by availability zone."
  value       = module.network.private_subnet_ids
}

output "database_identifier" {
  description = "Identifier of the vector database's RDS instance."
  value       = module.vector_db.database_identifier
}

output "database_instance_class" {
  description = "RDS instance class of the vector database."
  value       = module.vector_db.database_instance_class
}

output "database_host" {
  description = "Host name of the vector database; it has no public address."
  value       = module.vector_db.database_host
}

output "database_port" {
  description = "TCP port of the vector database."
  value       = module.vector_db.database_port
}

output "database_name" {
  description = "Name of the database on the instance."
  value       = module.vector_db.database_name
}

output "database_secret_arn" {
  description = "ARN of the secret with the database's master user and password, which RDS manages and rotates."
  value       = module.vector_db.database_secret_arn
}

output "database_security_group_id" {
  description = "Id of the vector database's security group."
  value       = module.vector_db.database_security_group_id
}

output "database_client_security_group_id" {
  description = "Id of the security group that is admitted to the vector database; what connects to it wears this group."
  value       = module.vector_db.database_client_security_group_id
}

output "s3_import_role_arn" {
  description = "ARN of the role under which the vector database imports from S3."
  value       = module.vector_db.s3_import_role_arn
}

output "data_lake_bucket" {
  description = "Name of the bucket of the training data."
  value       = module.storage.bucket_names["data_lake"]
}

output "ml_artifacts_bucket" {
  description = "Name of the bucket of embeddings and models."
  value       = module.storage.bucket_names["ml_artifacts"]
}

output "scripts_bucket" {
  description = "Name of the bucket of job scripts and job logs."
  value       = module.storage.bucket_names["scripts"]
}

output "recommendations_bucket" {
  description = "Name of the bucket that recommendations are delivered to."
  value       = module.storage.bucket_names["recommendations"]
}

output "glue_job_name" {
  description = "Name of the Glue job."
  value       = module.etl.glue_job_name
}

output "load_job_name" {
  description = "Name of the Glue job that loads embeddings into the vector database."
  value       = module.etl.load_job_name
}

output "load_results_url" {
  description = "s3:// prefix under which each of its runs leaves its report and rejected rows."
  value       = module.etl.load_results_url
}

output "glue_connection_name" {
  description = "Name of the Glue connection to the source database."
  value       = module.etl.glue_connection_name
}

output "catalog_database" {
  description = "Name of the database in the Glue Data Catalog."
  value       = module.etl.catalog_database
}

output "catalog_table" {
  description = "Name of the training data's table in that database."
  value       = module.etl.catalog_table
}

output "source_database_host" {
  description = "Host name of the source database."
  value       = module.etl.source_database_host
}

output "source_database_port" {
  description = "TCP port of the source database."
  value       = module.etl.source_database_port
}

output "source_database_name" {
  description = "Schema of the source database."
  value       = module.etl.source_database_name
}

output "source_database_secret_arn" {
  description = "ARN of the secret with the source database's user name and password."
  value       = module.etl.source_database_secret_arn
}

output "alerts_topic_arn" {
  description = "ARN of the SNS topic that is told of failed runs and alarms; subscribe to it."
  value       = module.etl.alerts_topic_arn
}

output "stream_name" {
  description = "Name of the Kinesis stream that user activity is sent to."
  value       = module.streaming.stream_name
}

output "delivery_stream_name" {
  description = "Name of the Firehose delivery stream that reads it."
  value       = module.streaming.delivery_stream_name
}

output "transform_function_name" {
  description = "Name of the function that adds recommendations to user activity."
  value       = module.streaming.transform_function_name
}

output "inference_function_name" {
  description = "Name of the function that answers requests."
  value       = module.inference.inference_function_name
}

output "inference_url" {
  description = "URL of the API that this function answers, for calls signed for the service \"lambda\"."
  value       = module.inference.inference_url
}

output "inference_caller_policy_arn" {
  description = "ARN of the policy that users and roles need to call the API."
  value       = module.inference.caller_policy_arn
}

output "recommendations_prefix" {
  description = "Prefix in the recommendations bucket under which delivered objects lie, in a folder an hour: 2026/11/21/06/."
  value       = module.streaming.recommendations_prefix
}

output "errors_prefix" {
  description = "Prefix in the recommendations bucket under which failed records lie."
  value       = module.streaming.errors_prefix
}

output "recommendations_table" {
  description = "Name of the recommendations' table in the catalog's database."
  value       = module.streaming.recommendations_table
}

output "athena_workgroup" {
  description = "Name of the Athena workgroup for queries on it."
  value       = module.streaming.athena_workgroup
}
