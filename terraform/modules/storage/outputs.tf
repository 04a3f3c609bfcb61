output "bucket_names" {
  description = "Name of each bucket, by purpose: data_lake, ml_artifacts, scripts, recommendations."
  value       = { for key, bucket in aws_s3_bucket.this : key => bucket.bucket }
}

output "bucket_arns" {
  description = "ARN of each bucket, by purpose: data_lake, ml_artifacts, scripts, recommendations."
  value       = { for key, bucket in aws_s3_bucket.this : key => bucket.arn }
}

output "query_results_prefix" {
  description = "Prefix in the recommendations bucket for the results of Athena queries, which expire after a week."
  value       = local.query_results_prefix
}
