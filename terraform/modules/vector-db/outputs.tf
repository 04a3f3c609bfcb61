output "database_identifier" {
  description = "Identifier of the RDS instance."
  value       = aws_db_instance.this.identifier
}

output "database_instance_class" {
  description = "RDS instance class, from which the CLI estimates how much an index build may use."
  value       = aws_db_instance.this.instance_class
}

output "database_host" {
  description = "Host name of the database, resolvable to a private address."
  value       = aws_db_instance.this.address
}

output "database_port" {
  description = "TCP port of the database."
  value       = aws_db_instance.this.port
}

output "database_name" {
  description = "Name of the database on the instance."
  value       = aws_db_instance.this.db_name
}

output "database_secret_arn" {
  description = "ARN of the RDS-managed secret with the master user's name and password. The secret itself is never an output."
  value       = one(aws_db_instance.this.master_user_secret[*].secret_arn)
}

output "database_security_group_id" {
  description = "Id of the database's own security group."
  value       = aws_security_group.database.id
}

output "database_client_security_group_id" {
  description = "Id of the security group that is admitted to the database. What connects to it wears this group."
  value       = aws_security_group.client.id
}

output "s3_import_role_arn" {
  description = "ARN of the role under which the database imports from S3."
  value       = aws_iam_role.s3_import.arn
}
