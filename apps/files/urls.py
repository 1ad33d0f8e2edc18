"""Addresses of files and messages, below /api/v1/."""

from django.urls import path

from apps.files.api.views.documents import (
    FileContent,
    FileDetail,
    FileDigest,
    FileDownload,
    FileRestoration,
    Files,
    FileShredding,
)
from apps.files.api.views.messages import (
    DataKeys,
    DataKeysWithoutPlaintext,
    Decrypt,
    DecryptBatch,
    Encrypt,
    EncryptBatch,
    Rewrap,
    RewrapBatch,
)
from apps.files.api.views.sharing import FileGrant, FileGrants, FilePackage
from apps.files.api.views.uploads import (
    FileAbortion,
    FileArchive,
    FileCompletion,
    FileParts,
    FileSecret,
    FileVersions,
    LocalFiles,
    LocalFinish,
)

urlpatterns = [
    path("files", Files.as_view(), name="files"),
    path("files/<str:file_id>", FileDetail.as_view(), name="file"),
    path("files/<str:file_id>/content", FileContent.as_view(), name="file-content"),
    path("files/<str:file_id>/download", FileDownload.as_view(), name="file-download"),
    path("files/<str:file_id>/digest", FileDigest.as_view(), name="file-digest"),
    path("files/<str:file_id>/restore", FileRestoration.as_view(), name="file-restore"),
    path("files/<str:file_id>/shred", FileShredding.as_view(), name="file-shred"),
    path("files/<str:file_id>/parts", FileParts.as_view(), name="file-parts"),
    path("files/<str:file_id>/complete", FileCompletion.as_view(), name="file-complete"),
    path("files/<str:file_id>/abort", FileAbortion.as_view(), name="file-abort"),
    path("files/<str:file_id>/versions", FileVersions.as_view(), name="file-versions"),
    path("files/<str:file_id>/grants", FileGrants.as_view(), name="file-grants"),
    path("files/<str:file_id>/grants/<str:grantee>", FileGrant.as_view(), name="file-grant"),
    path("files/<str:file_id>/package", FilePackage.as_view(), name="file-package"),
    path("files/<str:file_id>/archive", FileArchive.as_view(), name="file-archive"),
    path("files/<str:file_id>/key", FileSecret.as_view(), name="file-key"),
    path("local-files", LocalFiles.as_view(), name="local-files"),
    path("local-files/<str:file_id>/finish", LocalFinish.as_view(), name="local-finish"),
    path("encrypt", Encrypt.as_view(), name="encrypt"),
    path("encrypt/batch", EncryptBatch.as_view(), name="encrypt-batch"),
    path("decrypt", Decrypt.as_view(), name="decrypt"),
    path("decrypt/batch", DecryptBatch.as_view(), name="decrypt-batch"),
    path("data-keys", DataKeys.as_view(), name="data-keys"),
    path(
        "data-keys/without-plaintext", DataKeysWithoutPlaintext.as_view(), name="data-keys-without-plaintext"
    ),
    path("rewrap", Rewrap.as_view(), name="rewrap"),
    path("rewrap/batch", RewrapBatch.as_view(), name="rewrap-batch"),
]
