name_prefix       = "vectorops-test"
vpc_id            = "vpc-1"
subnet_ids        = ["subnet-1", "subnet-2"]
s3_prefix_list_id = "pl-1"
import_bucket_arn = "arn:aws:s3:::artifacts"
