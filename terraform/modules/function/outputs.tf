output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "function_arn" {
  description = "ARN of the function, without a version."
  value       = aws_lambda_function.this.arn
}

output "role_name" {
  description = "Name of the role the function runs under, for whoever adds a permission to it."
  value       = aws_iam_role.this.name
}

output "security_group_id" {
  description = "Id of the function's own security group."
  value       = aws_security_group.this.id
}

output "metrics_namespace" {
  description = "Namespace of the metrics that the function itself writes."
  value       = local.telemetry.POWERTOOLS_METRICS_NAMESPACE
}

output "metrics_service" {
  description = "Value of the dimension \"service\" of those metrics."
  value       = local.telemetry.POWERTOOLS_SERVICE_NAME
}
