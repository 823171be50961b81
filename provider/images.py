"""Find the image of a version in ECR."""

from __future__ import annotations

from provider.aws import Aws, AwsError
from provider.rpc.messages import Fail

SHOWN = 10  # versions named in the message


def image_of(aws: Aws, repository: str, version: str) -> str:
    """`repositoryUri@digest` of the image tagged with the version.

    Raises Fail where there is none, naming the newest that do exist.
    """
    try:
        uri = aws.call("ecr", "describe_repositories", repositoryNames=[repository])["repositories"][0]["repositoryUri"]
        found = aws.call("ecr", "describe_images", repositoryName=repository, imageIds=[{"imageTag": version}])
    except AwsError as error:
        if error.code == "RepositoryNotFoundException":
            raise Fail(f"version {version} does not exist: there is no ECR repository {repository}") from error
        if error.code == "ImageNotFoundException":
            raise Fail(
                f"version {version} does not exist in ECR repository {repository}; there are: "
                f"{_versions(aws, repository)}. Set bluegreen:version to one of them, or leave it out to build one"
            ) from error
        raise
    return f"{uri}@{found['imageDetails'][0]['imageDigest']}"


def _versions(aws: Aws, repository: str) -> str:
    """The newest versions, newest first."""
    details = aws.pages(
        "ecr", "describe_images", "imageDetails", repositoryName=repository, filter={"tagStatus": "TAGGED"}
    )
    newest = sorted(details, key=lambda one: str(one.get("imagePushedAt", "")), reverse=True)
    names = [tag for one in newest for tag in one.get("imageTags", [])]
    more = f" and {len(names) - SHOWN} older" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more if names else "none"
