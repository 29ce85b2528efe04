"""The package and the templates in the code bucket, under names that their content gives them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from backend.contract.errors import InvalidInput
from backend.local.package import key_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX: Final = "pulseboard/"
PACKAGES: Final = "functions-*.zip"
_NAME_OF_BUCKET: Final = b"\n      BucketName: !Ref BucketName\n"
_MISSING: Final = ("404", "NoSuchKey", "NotFound")


def newest_package(directory: Path) -> Path:
    """The functions' zip that was built last. Raises InvalidInput where there is none."""
    found = sorted(directory.glob(PACKAGES), key=lambda path: path.stat().st_mtime)
    if not found:
        raise InvalidInput("package", str(directory / PACKAGES), "does not exist; run `make package`")
    return found[-1]


class CodeBucket:
    """The bucket that the functions' code and the templates are taken from."""

    def __init__(self, s3: S3Client, name: str, region: str) -> None:
        """Nothing is asked yet."""
        self.name = name
        self._s3 = s3
        self._region = region

    def check(self) -> None:
        """Raises InvalidInput for a bucket that is not there, not ours, or in another region than the stack."""
        try:
            found = self._s3.head_bucket(Bucket=self.name).get("BucketRegion") or self._region
        except ClientError as error:
            code = error.response["Error"]["Code"]
            remedy = "is in another region or not yours" if code in ("403", "301", "400") else "does not exist"
            raise InvalidInput(
                "code_bucket", self.name, f"{remedy}; create one in {self._region}: aws s3 mb s3://NAME"
            ) from error
        if found != self._region:
            raise InvalidInput(
                "code_bucket", self.name, f"is in {found}, but Lambda takes code from {self._region} alone"
            )

    def put_package(self, path: Path) -> str:
        """The key of the functions' zip, uploaded unless it is there."""
        body = path.read_bytes()
        return self._put(key_of(body), body, "application/zip")

    def put_template(self, path: Path, bucket_name: str | None = None) -> str:
        """The key of a template, uploaded unless it is there.

        ``bucket_name`` is written into it: CloudFormation adopts only what the template itself names, not a parameter.
        """
        body = path.read_bytes()
        if bucket_name is not None:
            body = body.replace(_NAME_OF_BUCKET, f"\n      BucketName: {bucket_name}\n".encode(), 1)
        key = f"{PREFIX}{path.stem}-{hashlib.sha256(body).hexdigest()[:16]}{path.suffix}"
        return self._put(key, body, "application/yaml")

    def holds(self, key: str) -> bool:
        """Whether there is such an object."""
        try:
            self._s3.head_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return False
            raise
        return True

    def url(self, key: str) -> str:
        """Where CloudFormation reads the object."""
        return f"{self._s3.meta.endpoint_url}/{self.name}/{key}"

    def _put(self, key: str, body: bytes, content_type: str) -> str:
        if not self.holds(key):
            self._s3.put_object(Bucket=self.name, Key=key, Body=body, ContentType=content_type)
        return key
