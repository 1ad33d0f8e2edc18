"""Addresses of custody, below /api/v1/."""

from django.urls import path

from apps.custody.api.approvals import (
    ActivationRequest,
    ApprovalDetail,
    ApprovalGiving,
    ApprovalRefusal,
    Approvals,
    ApprovalWithdrawal,
    ApprovedActivation,
    ApprovedDestruction,
    ApprovedExport,
    ApprovedQuantumKeyExport,
    DestructionCancellation,
    DestructionRequest,
    ExportRequest,
    QuantumKeyExportRequest,
    RecoveryRequest,
)
from apps.custody.api.rotations import (
    KeyResumption,
    KeyRevocation,
    KeyRotation,
    KeySuspension,
    Reencryptions,
    RotationDetail,
    RotationResumption,
    Rotations,
)

KEY, ROTATION, APPROVAL = "keys/<str:key_id>", "rotations/<str:rotation_id>", "approvals/<str:approval_id>"
urlpatterns = [
    path(f"{KEY}/activate", ActivationRequest.as_view(), name="key-activate"),
    path(f"{KEY}/suspend", KeySuspension.as_view(), name="key-suspend"),
    path(f"{KEY}/resume", KeyResumption.as_view(), name="key-resume"),
    path(f"{KEY}/rotate", KeyRotation.as_view(), name="key-rotate"),
    path(f"{KEY}/revoke", KeyRevocation.as_view(), name="key-revoke"),
    path(f"{KEY}/destruction", DestructionRequest.as_view(), name="key-destruction"),
    path(f"{KEY}/destruction/cancel", DestructionCancellation.as_view(), name="key-destruction-cancel"),
    path(f"{KEY}/export", ExportRequest.as_view(), name="key-export"),
    path("quantum-keys/<str:key_id>/export", QuantumKeyExportRequest.as_view(), name="quantum-key-export"),
    path("rotations", Rotations.as_view(), name="rotations"),
    path(ROTATION, RotationDetail.as_view(), name="rotation"),
    path(f"{ROTATION}/resume", RotationResumption.as_view(), name="rotation-resume"),
    path("reencryptions", Reencryptions.as_view(), name="reencryptions"),
    path("recovery", RecoveryRequest.as_view(), name="recovery"),
    path("approvals", Approvals.as_view(), name="approvals"),
    path(APPROVAL, ApprovalDetail.as_view(), name="approval"),
    path(f"{APPROVAL}/approve", ApprovalGiving.as_view(), name="approval-approve"),
    path(f"{APPROVAL}/refuse", ApprovalRefusal.as_view(), name="approval-refuse"),
    path(f"{APPROVAL}/activate", ApprovedActivation.as_view(), name="approval-activate"),
    path(f"{APPROVAL}/withdraw", ApprovalWithdrawal.as_view(), name="approval-withdraw"),
    path(f"{APPROVAL}/destroy", ApprovedDestruction.as_view(), name="approval-destroy"),
    path(f"{APPROVAL}/export", ApprovedExport.as_view(), name="approval-export"),
    path(
        f"{APPROVAL}/export-quantum-key",
        ApprovedQuantumKeyExport.as_view(),
        name="approval-export-quantum-key",
    ),
]
