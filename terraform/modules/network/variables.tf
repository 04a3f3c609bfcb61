variable "name_prefix" {
  description = "Start of every name in this module, \"<project>-<environment>\": lower-case letters, digits and single hyphens, 3 to 33 characters."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name_prefix)) && length(var.name_prefix) >= 3 && length(var.name_prefix) <= 33
    error_message = "name_prefix is \"${var.name_prefix}\"; it must be 3 to 33 lower-case letters, digits and single hyphens, starting with a letter."
  }
}

variable "cidr_block" {
  description = "IPv4 range of the VPC, between /16 and /20. Each zone takes a sixteenth of it. Ranges that are peered must not overlap."
  type        = string
  default     = "10.40.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrhost(var.cidr_block, 0)) && can(regex("/(1[6-9]|20)$", var.cidr_block))
    error_message = "cidr_block is \"${var.cidr_block}\"; it must be an IPv4 range between /16 and /20, such as 10.40.0.0/16."
  }
}

variable "availability_zone_count" {
  description = "Number of availability zones, each with one private subnet: 2 (the least RDS accepts) or 3."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = contains([2, 3], var.availability_zone_count)
    error_message = "availability_zone_count is ${var.availability_zone_count}; it must be 2 or 3."
  }
}

variable "interface_endpoints" {
  description = "AWS services that the private subnets reach through an interface endpoint, by endpoint name such as \"secretsmanager\". Each is billed per hour and zone."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition = length(setsubtract(var.interface_endpoints, [
      "athena", "bedrock-runtime", "ecr.api", "ecr.dkr", "events", "glue", "kinesis-firehose", "kinesis-streams",
      "kms", "lambda", "logs", "monitoring", "rds", "rds-data", "secretsmanager", "sns", "sqs", "ssm", "states", "sts",
    ])) == 0
    error_message = "interface_endpoints holds a service this platform does not call (or a misspelt one): ${join(", ", var.interface_endpoints)}. S3 is always reached through the gateway endpoint."
  }
}

variable "tags" {
  description = "Tags added to everything in this module, besides the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
