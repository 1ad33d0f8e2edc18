"""Key delivery by ETSI GS QKD 014: an API, a stage and a domain of its own, all of it behind mutual TLS.

Mutual TLS holds for a whole custom domain, and an API's default endpoint goes round it: so the default endpoint is
disabled, and the platform's own API, which browsers use, stays without it.
"""

import json

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as functions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as waf
from config import Config
from constructs import Construct

METHODS = ("GET", "POST")
# No header, no query (it may hold the id of a key) and no body. The serial says whose certificate it was
LOGGED = {
    "requestId": "$context.requestId",
    "sourceIp": "$context.identity.sourceIp",
    "httpMethod": "$context.httpMethod",
    "status": "$context.status",
    "responseLatency": "$context.responseLatency",
    "certificate": "$context.identity.clientCert.serialNumber",
}
# What the gateway answers itself, in the standard's form, which knows 400, 401 and 503
ANSWERS = {
    "DEFAULT_4XX": None,
    "UNAUTHORIZED": "401",
    "ACCESS_DENIED": "401",
    "THROTTLED": "503",
    "DEFAULT_5XX": "503",
}


class KeyDelivery(Construct):
    """The API, its stage and its domain. The platform's function answers, by the certificate in the event."""

    def __init__(self, scope: Construct, config: Config) -> None:
        super().__init__(scope, "KeyDelivery")
        self.config = config
        self.api = apigateway.CfnRestApi(
            self,
            "Api",
            name=f"{config.prefix}-kme",
            disable_execute_api_endpoint=True,
            endpoint_configuration=apigateway.CfnRestApi.EndpointConfigurationProperty(types=["REGIONAL"]),
        )
        methods = self._methods()
        for name, status in ANSWERS.items():
            self._answer(name, status)
        deployment = apigateway.CfnDeployment(self, "Deployment", rest_api_id=self.api.ref)
        for method in methods:
            deployment.add_dependency(method)
        self.stage = self._stage(deployment)
        self._domain()

    def protect(self, acl: waf.CfnWebACL) -> None:
        """Put the platform's firewall in front of the stage."""
        arn = f"arn:{cdk.Aws.PARTITION}:apigateway:{self.config.region}::/restapis/{self.api.ref}/stages/{self.stage.ref}"
        waf.CfnWebACLAssociation(self, "Firewall", web_acl_arn=acl.attr_arn, resource_arn=arn)

    def _methods(self) -> list[apigateway.CfnMethod]:
        config = self.config
        function = f"arn:{cdk.Aws.PARTITION}:lambda:{config.region}:{cdk.Aws.ACCOUNT_ID}:function:{config.api_function}"
        functions.CfnPermission(
            self,
            "Invocation",
            action="lambda:InvokeFunction",
            function_name=config.api_function,
            principal="apigateway.amazonaws.com",
            source_arn=f"arn:{cdk.Aws.PARTITION}:execute-api:{config.region}:{cdk.Aws.ACCOUNT_ID}:{self.api.ref}/*",
        )
        place = apigateway.CfnResource(
            self,
            "Everything",
            rest_api_id=self.api.ref,
            parent_id=self.api.attr_root_resource_id,
            path_part="{proxy+}",
        )
        # The function itself refuses what is no request of the standard, in the standard's words
        checked = apigateway.CfnRequestValidator(
            self,
            "Validator",
            rest_api_id=self.api.ref,
            validate_request_parameters=True,
            validate_request_body=True,
        )
        return [
            apigateway.CfnMethod(
                self,
                method.title(),
                rest_api_id=self.api.ref,
                resource_id=place.ref,
                http_method=method,
                authorization_type="NONE",  # the certificate says who asks
                request_validator_id=checked.ref,
                request_parameters={"method.request.path.proxy": True},
                integration=apigateway.CfnMethod.IntegrationProperty(
                    type="AWS_PROXY",
                    integration_http_method="POST",
                    uri=f"arn:{cdk.Aws.PARTITION}:apigateway:{config.region}:lambda:path/2015-03-31/functions/{function}/invocations",
                ),
            )
            for method in METHODS
        ]

    def _answer(self, name: str, status: str | None) -> None:
        apigateway.CfnGatewayResponse(
            self,
            "".join(part.title() for part in name.split("_")),
            rest_api_id=self.api.ref,
            response_type=name,
            status_code=status,
            response_parameters={"gatewayresponse.header.Cache-Control": "'no-store'"},
            response_templates={"application/json": '{"message": $context.error.messageString}'},
        )

    def _stage(self, deployment: apigateway.CfnDeployment) -> apigateway.CfnStage:
        config = self.config
        group = logs.CfnLogGroup(
            self,
            "Log",
            log_group_name=f"/aws/apigateway/{config.prefix}-kme",
            retention_in_days=config.log_retention_days,
        )
        group.apply_removal_policy(
            cdk.RemovalPolicy.DESTROY if config.removable else cdk.RemovalPolicy.RETAIN
        )
        limited = apigateway.CfnStage.MethodSettingProperty(
            http_method="*",
            resource_path="/*",
            throttling_rate_limit=config.throttle_rate,
            throttling_burst_limit=config.throttle_burst,
            metrics_enabled=True,
            logging_level="ERROR",
            data_trace_enabled=False,
        )
        return apigateway.CfnStage(
            self,
            "Stage",
            rest_api_id=self.api.ref,
            deployment_id=deployment.ref,
            stage_name=config.stage,
            tracing_enabled=True,
            method_settings=[limited],
            access_log_setting=apigateway.CfnStage.AccessLogSettingProperty(
                destination_arn=cdk.Fn.select(0, cdk.Fn.split(":*", group.attr_arn)),
                format=json.dumps(LOGGED),
            ),
        )

    def _domain(self) -> None:
        config = self.config
        domain = apigateway.CfnDomainName(
            self,
            "Domain",
            domain_name=config.kme_domain_name,
            regional_certificate_arn=config.kme_certificate_arn,
            security_policy="TLS_1_2",
            endpoint_configuration=apigateway.CfnDomainName.EndpointConfigurationProperty(types=["REGIONAL"]),
            mutual_tls_authentication=apigateway.CfnDomainName.MutualTlsAuthenticationProperty(
                truststore_uri=config.kme_truststore
            ),
        )
        apigateway.CfnBasePathMapping(
            self, "Mapping", domain_name=domain.ref, rest_api_id=self.api.ref, stage=self.stage.ref
        )
        cdk.CfnOutput(self, "DomainTarget", value=domain.attr_regional_domain_name)
