"""S3: an object that was uploaded in parts has the tags that it was begun with."""

from typing import Any
from urllib.parse import parse_qs
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from ministack.services import s3

from vectorops.local.emulator.mending import Function, need, replace

_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def install() -> None:
    """Mend the library."""
    need(s3, "_multipart_uploads", "_put_object_tagging")
    replace(s3, "_create_multipart_upload", _create_multipart_upload)
    replace(s3, "_complete_multipart_upload", _complete_multipart_upload)


def _create_multipart_upload(original: Function) -> Function:
    def create(bucket: str, key: str, headers: dict[str, str]) -> Any:
        response = original(bucket, key, headers)
        if response[0] == 200 and (tagging := headers.get("x-amz-tagging")):
            upload = fromstring(response[2]).findtext(f"{_NAMESPACE}UploadId")  # noqa: S314 - our own answer
            s3._multipart_uploads[upload]["tagging"] = tagging
        return response

    return create


def _complete_multipart_upload(original: Function) -> Function:
    def complete(bucket: str, key: str, body: bytes, query: dict[str, Any], *rest: Any) -> Any:
        identifier = query["uploadId"]
        identifier = identifier[0] if isinstance(identifier, list) else identifier
        tagging = s3._multipart_uploads.get(identifier, {}).get("tagging")
        response = original(bucket, key, body, query, *rest)
        if response[0] == 200 and tagging:
            s3._put_object_tagging(bucket, key, _tagging_xml(tagging))
        return response

    return complete


def _tagging_xml(tagging: str) -> bytes:
    root = Element("Tagging")
    tags = SubElement(root, "TagSet")
    for name, values in parse_qs(tagging, keep_blank_values=True).items():
        tag = SubElement(tags, "Tag")
        SubElement(tag, "Key").text, SubElement(tag, "Value").text = name, values[0]
    return bytes(tostring(root))
