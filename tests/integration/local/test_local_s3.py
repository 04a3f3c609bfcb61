import uuid

from vectorops.aws import Aws

PART = b"x" * (5 * 1024 * 1024)


def test_an_object_uploaded_in_parts_has_the_tags_it_was_begun_with(operator: Aws) -> None:
    s3, name = operator.client("s3"), f"parts-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    upload = s3.create_multipart_upload(Bucket=name, Key="large", Tagging="a=b&c=d%20e")["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(Bucket=name, Key="large", UploadId=upload, PartNumber=number, Body=PART)[
                "ETag"
            ],
        }
        for number in (1, 2)
    ]
    s3.complete_multipart_upload(Bucket=name, Key="large", UploadId=upload, MultipartUpload={"Parts": parts})
    tags = s3.get_object_tagging(Bucket=name, Key="large")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"a": "b", "c": "d e"}
