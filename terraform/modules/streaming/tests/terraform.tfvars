name_prefix          = "vectorops-test"
catalog_database     = "vectorops_test"
query_results_prefix = "athena-results/"
alerts_topic_arn     = "arn:aws:sns:eu-central-1:123456789012:vectorops-test-alerts"

recommendations_bucket = { name = "recommendations", arn = "arn:aws:s3:::recommendations" }
function               = { package_path = "tests/package.zip" }
network = {
  vpc_id                      = "vpc-1"
  subnet_ids                  = ["subnet-1", "subnet-2"]
  s3_prefix_list_id           = "pl-1"
  endpoints_security_group_id = "sg-endpoints"
}
