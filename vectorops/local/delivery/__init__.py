"""A Firehose delivery stream of the local target: from a Kinesis stream through a function into S3.

It is a client of the AWS APIs like any other, with the permissions of the roles that it was deployed with.
"""
