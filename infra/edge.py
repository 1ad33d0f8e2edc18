"""The stack of what needs Zappa's functions and API to be there: mappings, failures, domain, firewall, the gateway's answers.

It is deployed after Zappa, whose updates leave all of it alone, save the stage's own settings: those are patched by the
deploy step, as Zappa resets them at every update.
"""

import json
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as functions
from aws_cdk import aws_wafv2 as waf
from config import Config
from constructs import Construct
from key_delivery import KeyDelivery
from state import State

TOGETHER_SECONDS = 5
REPORT = ["ReportBatchItemFailures"]
PROBLEM = "application/problem+json"
# What the gateway answers itself, as the API would: type of the answer, status, problem type, title
ANSWERS = (
    ("ACCESS_DENIED", 403, "forbidden", "Not allowed"),
    ("WAF_FILTERED", 403, "forbidden", "Refused by the firewall"),
    ("MISSING_AUTHENTICATION_TOKEN", 403, "forbidden", "There is nothing at this address, or not for you"),
    ("UNAUTHORIZED", 401, "unauthenticated", "Credentials are missing or not valid"),
    ("RESOURCE_NOT_FOUND", 404, "not-found", "Not found"),
    ("REQUEST_TOO_LARGE", 413, "too-large", "The body is too large"),
    ("UNSUPPORTED_MEDIA_TYPE", 415, "unsupported-media-type", "Media type not supported"),
    ("THROTTLED", 429, "too-many-requests", "Too many requests"),
    ("QUOTA_EXCEEDED", 429, "too-many-requests", "Too many requests"),
    ("DEFAULT_5XX", None, "internal-error", "Something failed on our side"),
    ("INTEGRATION_FAILURE", 504, "unavailable", "Not available right now"),
    ("INTEGRATION_TIMEOUT", 504, "unavailable", "Not available right now"),
)


class Edge(cdk.Stack):
    """What stands around the functions of a stage."""

    def __init__(self, scope: Construct, config: Config, state: State, *, api_id: str, **more: Any) -> None:
        super().__init__(scope, f"{config.prefix}-edge", **more)
        self.config, self.state, self.api_id = config, state, api_id
        if config.event_processing:
            self._mappings()
        for function in (config.api_function, config.worker_function):
            self._invoke_config(function)
        for name, status, problem, title in ANSWERS:
            self._answer(name, status, problem, title)
        delivery = KeyDelivery(self, config) if config.kme_domain_name else None
        if config.waf:
            acl = self._firewall()
            if delivery is not None:
                delivery.protect(acl)
        if config.domain_name:
            self._domain()

    def _mappings(self) -> None:
        worker, queues = self.config.worker_function, self.state.queues
        dead = functions.CfnEventSourceMapping.DestinationConfigProperty(
            on_failure=functions.CfnEventSourceMapping.OnFailureProperty(
                destination=queues.dead_letters.queue_arn
            )
        )
        # What follows the trail adds up what it is brought: the more at a time, the fewer writes
        streams = (("Stream", "sessions", 100, 0), ("Trail", "audit", 500, TOGETHER_SECONDS))
        for name, table, size, window in streams:
            functions.CfnEventSourceMapping(
                self,
                name,
                function_name=worker,
                event_source_arn=self.state.tables.by_name[table].table_stream_arn,
                starting_position="TRIM_HORIZON",
                batch_size=size,
                maximum_batching_window_in_seconds=window,
                bisect_batch_on_function_error=True,
                maximum_retry_attempts=5,
                maximum_record_age_in_seconds=86_400,
                function_response_types=REPORT,
                destination_config=dead,
                filter_criteria=functions.CfnEventSourceMapping.FilterCriteriaProperty(
                    filters=[
                        functions.CfnEventSourceMapping.FilterProperty(
                            pattern=json.dumps({"eventName": ["INSERT"]})
                        )
                    ]
                ),
            )
        sources = (("Jobs", queues.jobs), ("Custody", queues.custody), ("Uploads", queues.upload_events))
        for name, queue in sources:
            functions.CfnEventSourceMapping(
                self,
                name,
                function_name=worker,
                event_source_arn=queue.queue_arn,
                batch_size=1,  # a message may take all the time there is
                function_response_types=REPORT,
                scaling_config=functions.CfnEventSourceMapping.ScalingConfigProperty(
                    maximum_concurrency=self.config.worker_concurrency
                ),
            )

    def _invoke_config(self, function: str) -> None:
        """What failed at every attempt, schedules among it, goes to the dead letters."""
        functions.CfnEventInvokeConfig(
            self,
            "".join(part.title() for part in function.split("-")) + "Failures",
            function_name=function,
            qualifier="$LATEST",
            maximum_retry_attempts=2,
            maximum_event_age_in_seconds=3_600,
            destination_config=functions.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=functions.CfnEventInvokeConfig.OnFailureProperty(
                    destination=self.state.queues.dead_letters.queue_arn
                )
            ),
        )

    def _base(self) -> str:
        """The address of the stage, as its answers are asked for."""
        domain = self.config.domain_name
        return f"https://{domain}" if domain else "https://$context.domainName/$context.stage"

    def _answer(self, name: str, status: int | None, problem: str, title: str) -> None:
        document = {
            "type": f"{self._base()}/api/problems/{problem}",
            "title": title,
            "detail": "The gateway answered: $context.error.message",
        } | ({"status": status} if status else {})
        headers = {"gatewayresponse.header.Cache-Control": "'no-store'"}
        if status == 429:
            headers["gatewayresponse.header.Retry-After"] = "'1'"
        if self.config.cors_origins:
            headers["gatewayresponse.header.Access-Control-Allow-Origin"] = f"'{self.config.cors_origins[0]}'"
            headers["gatewayresponse.header.Vary"] = "'Origin'"
        apigateway.CfnGatewayResponse(
            self,
            "".join(part.title() for part in name.split("_")),
            rest_api_id=self.api_id,
            response_type=name,
            status_code=str(status) if status else None,
            response_parameters=headers,
            response_templates={PROBLEM: json.dumps(document), "application/json": json.dumps(document)},
        )

    def _firewall(self) -> waf.CfnWebACL:
        config = self.config

        def seen(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
            return waf.CfnWebACL.VisibilityConfigProperty(
                cloud_watch_metrics_enabled=True,
                metric_name=f"{config.prefix}-{name}",
                sampled_requests_enabled=True,
            )

        rate = waf.CfnWebACL.RuleProperty(
            name="rate",
            priority=0,
            action=waf.CfnWebACL.RuleActionProperty(block={}),
            visibility_config=seen("rate"),
            statement=waf.CfnWebACL.StatementProperty(
                rate_based_statement=waf.CfnWebACL.RateBasedStatementProperty(
                    aggregate_key_type="IP", limit=config.waf_rate_limit
                )
            ),
        )
        acl = waf.CfnWebACL(
            self,
            "Firewall",
            name=config.prefix,
            scope="REGIONAL",
            default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=seen("all"),
            rules=[rate],
        )
        waf.CfnWebACLAssociation(
            self,
            "FirewallAssociation",
            web_acl_arn=acl.attr_arn,
            resource_arn=f"arn:{cdk.Aws.PARTITION}:apigateway:{config.region}::/restapis/{self.api_id}/stages/{config.stage}",
        )
        return acl

    def _domain(self) -> None:
        config = self.config
        trust = config.mutual_tls_truststore
        domain = apigateway.CfnDomainName(
            self,
            "Domain",
            domain_name=config.domain_name,
            regional_certificate_arn=config.certificate_arn,
            security_policy="TLS_1_2",
            endpoint_configuration=apigateway.CfnDomainName.EndpointConfigurationProperty(types=["REGIONAL"]),
            mutual_tls_authentication=apigateway.CfnDomainName.MutualTlsAuthenticationProperty(
                truststore_uri=trust
            )
            if trust
            else None,
        )
        apigateway.CfnBasePathMapping(
            self, "Mapping", domain_name=domain.ref, rest_api_id=self.api_id, stage=config.stage
        )
        cdk.CfnOutput(self, "DomainTarget", value=domain.attr_regional_domain_name)
