name_prefix      = "vectorops-test"
name             = "transform"
description      = "Transforms."
handler          = "vectorops.functions.transform.handler"
package_path     = "tests/package.zip"
alerts_topic_arn = "arn:aws:sns:eu-central-1:123456789012:vectorops-test-alerts"
network = {
  vpc_id                      = "vpc-1"
  subnet_ids                  = ["subnet-1", "subnet-2"]
  s3_prefix_list_id           = "pl-1"
  endpoints_security_group_id = "sg-endpoints"
}
