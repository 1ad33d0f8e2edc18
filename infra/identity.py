"""Cognito: the pool whose tokens the API accepts beside API keys, made unless one is given."""

import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito
from config import Config
from constructs import Construct

SCOPES = "qkd"  # the resource server: tokens hold scopes as qkd/<scope>


class Identity(Construct):
    """A pool with a client for machines and one for people."""

    def __init__(self, scope: Construct, config: Config, scopes: list[str]) -> None:
        super().__init__(scope, "Identity")
        self.pool = cognito.UserPool(
            self,
            "Pool",
            user_pool_name=config.prefix,
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True, username=True),
            mfa=cognito.Mfa[config.user_pool_mfa],
            mfa_second_factor=None
            if config.user_pool_mfa == "OFF"
            else cognito.MfaSecondFactor(sms=False, otp=True),
            password_policy=cognito.PasswordPolicy(
                min_length=config.user_pool_password_length,
                require_digits=True,
                require_lowercase=True,
                require_symbols=True,
                require_uppercase=True,
                temp_password_validity=cdk.Duration.days(1),
            ),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            deletion_protection=config.deletion_protection,
            feature_plan=cognito.FeaturePlan.PLUS if config.user_pool_mfa == "REQUIRED" else None,
            standard_threat_protection_mode=cognito.StandardThreatProtectionMode.FULL_FUNCTION
            if config.user_pool_mfa == "REQUIRED"
            else None,
            removal_policy=cdk.RemovalPolicy.DESTROY if config.removable else cdk.RemovalPolicy.RETAIN,
        )
        account = cdk.Stack.of(self).account
        self.domain = self.pool.add_domain(
            "Domain", cognito_domain=cognito.CognitoDomainOptions(domain_prefix=f"{config.prefix}-{account}")
        )
        ours = [cognito.ResourceServerScope(scope_name=name, scope_description=name) for name in scopes]
        server = self.pool.add_resource_server("Api", identifier=SCOPES, scopes=ours)
        granted = [cognito.OAuthScope.resource_server(server, scope) for scope in ours]
        self.machines = self.pool.add_client(
            "Machines",
            generate_secret=True,
            access_token_validity=cdk.Duration.hours(1),
            o_auth=cognito.OAuthSettings(flows=cognito.OAuthFlows(client_credentials=True), scopes=granted),
        )
        self.people = self.pool.add_client(
            "People",
            prevent_user_existence_errors=True,
            access_token_validity=cdk.Duration.hours(1),
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                scopes=[cognito.OAuthScope.OPENID, *granted],
                callback_urls=list(config.user_pool_callbacks)
                or [f"https://{config.domain_name or 'localhost'}/"],
            ),
        )
