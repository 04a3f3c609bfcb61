output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "vpc_cidr_block" {
  description = "IPv4 range of the VPC."
  value       = aws_vpc.this.cidr_block
}

output "private_subnet_ids" {
  description = "Ids of the private subnets, ordered by availability zone."
  value       = [for zone in local.zones : aws_subnet.private[zone].id]
}

output "private_subnets" {
  description = "The private subnets as {id, availability_zone}, ordered by availability zone."
  value       = [for zone in local.zones : { id = aws_subnet.private[zone].id, availability_zone = zone }]
}

output "private_route_table_id" {
  description = "Id of the route table of all private subnets, for whoever adds a NAT gateway or a peering."
  value       = aws_route_table.private.id
}

output "s3_prefix_list_id" {
  description = "Id of the prefix list of S3's addresses, for egress rules that allow S3 and nothing else."
  value       = aws_vpc_endpoint.s3.prefix_list_id
}

output "endpoints_security_group_id" {
  description = "Id of the security group of the interface endpoints, for egress rules of what calls AWS from the VPC."
  value       = aws_security_group.endpoints.id
}
