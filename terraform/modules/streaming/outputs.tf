output "stream_name" {
  description = "Name of the Kinesis stream that user activity is sent to."
  value       = aws_kinesis_stream.activity.name
}

output "stream_arn" {
  description = "ARN of that stream, for the policies of what sends to it."
  value       = aws_kinesis_stream.activity.arn
}

output "delivery_stream_name" {
  description = "Name of the Firehose delivery stream."
  value       = aws_kinesis_firehose_delivery_stream.recommendations.name
}

output "transform_function_name" {
  description = "Name of the function that adds the recommendations."
  value       = module.transform.function_name
}

output "recommendations_prefix" {
  description = "Prefix in the recommendations bucket under which delivered objects lie, in a folder an hour: 2026/11/21/06/."
  value       = local.recommendations_prefix
}

output "errors_prefix" {
  description = "Prefix in the recommendations bucket under which failed records lie, in a folder for each kind of error and in it one an hour."
  value       = local.errors_prefix
}

output "recommendations_table" {
  description = "Name of the recommendations' table in the catalog."
  value       = aws_glue_catalog_table.recommendations.name
}

output "athena_workgroup" {
  description = "Name of the Athena workgroup with the limit on what a query scans."
  value       = aws_athena_workgroup.recommendations.name
}
