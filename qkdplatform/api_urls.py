"""The API's addresses, which each app declares in its ``urls.py``, and what describes them."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from apps.common import problem_pages
from apps.common.routes import api_routes
from apps.common.schema import ApiDocs
from apps.metrics.api import MetricsPage

urlpatterns = [
    *api_routes(),
    path("metrics", MetricsPage.as_view(), name="metrics"),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path(problem_pages.ADDRESS, problem_pages.index, name="problems"),
    path(f"{problem_pages.ADDRESS}/<str:name>", problem_pages.page, name="problem"),
    path("api/docs", ApiDocs.as_view(url_name="schema"), name="docs"),
]
