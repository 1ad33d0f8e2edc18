"""Addresses of signing in, below /accounts/. Nobody signs up, and nobody changes their e-mail address."""

from allauth.account import views as account
from allauth.socialaccount import views as social
from django.apps import apps
from django.urls import include, path, re_path
from django.views.generic import RedirectView, TemplateView

from apps.access.console.views import Forgotten

POOL = "allauth.socialaccount.providers.openid_connect"
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="accounts"),
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("password/change/", account.password_change, name="account_change_password"),
    path(
        "password/set/",
        TemplateView.as_view(template_name="account/no_password.html"),
        name="account_set_password",
    ),
    path("password/reset/", Forgotten.as_view(), name="account_reset_password"),
    path("password/reset/done/", account.password_reset_done, name="account_reset_password_done"),
    path(
        "password/reset/key/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("2fa/", include("allauth.mfa.urls")),
    path("cancelled/", social.login_cancelled, name="socialaccount_login_cancelled"),
    # Where a pool's people sign in
    *([path("", include(f"{POOL}.urls"))] if apps.is_installed(POOL) else []),
]
