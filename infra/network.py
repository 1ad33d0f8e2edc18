"""Optional: a VPC in which the functions reach every service that they call by endpoints, and nothing else."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from config import Config
from constructs import Construct

SERVICES = {
    "Kms": ec2.InterfaceVpcEndpointAwsService.KMS,
    "Sqs": ec2.InterfaceVpcEndpointAwsService.SQS,
    "Sns": ec2.InterfaceVpcEndpointAwsService.SNS,
    "Secrets": ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
    "Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    "XRay": ec2.InterfaceVpcEndpointAwsService.XRAY,
}


class Network(cdk.Stack):
    """Two availability zones of isolated subnets; no gateway to the internet, so nothing leaves but to AWS."""

    def __init__(self, scope: Construct, config: Config, **more: Any) -> None:
        super().__init__(scope, f"{config.prefix}-network", **more)
        subnets = ec2.SubnetConfiguration(
            name="private", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24
        )
        self.vpc = ec2.Vpc(self, "Vpc", max_azs=2, nat_gateways=0, subnet_configuration=[subnets])
        self.vpc.add_flow_log("FlowLog")
        self.functions = self._group("Functions", "The functions: to the endpoints and the database only")
        self.endpoints = self._group("Endpoints", "Endpoints of AWS: from the functions only")
        self.database = self._group("Database", "PostgreSQL: from the functions only")
        https, postgres = ec2.Port.tcp(443), ec2.Port.tcp(5432)
        self.endpoints.add_ingress_rule(self.functions, https)
        self.database.add_ingress_rule(self.functions, postgres)
        self.functions.add_egress_rule(self.endpoints, https)
        self.functions.add_egress_rule(self.database, postgres)
        # Gateway endpoints are reached by public addresses that the routes lead to them
        self.functions.add_egress_rule(
            ec2.Peer.any_ipv4(), https, "DynamoDB and S3, by their gateway endpoints"
        )
        self.vpc.add_gateway_endpoint("DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
        self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        services = dict(SERVICES)
        if config.endpoint_type == "PRIVATE" and not config.vpc_endpoint_id:
            services["Api"] = ec2.InterfaceVpcEndpointAwsService.APIGATEWAY
        made = {
            name: self.vpc.add_interface_endpoint(
                name, service=service, security_groups=[self.endpoints], open=False, private_dns_enabled=True
            )
            for name, service in services.items()
        }
        if "Api" in made:
            cdk.CfnOutput(self, "ApiEndpointId", value=made["Api"].vpc_endpoint_id)
        cdk.CfnOutput(self, "SubnetIds", value=",".join(s.subnet_id for s in self.vpc.isolated_subnets))
        cdk.CfnOutput(self, "SecurityGroupIds", value=self.functions.security_group_id)
        cdk.CfnOutput(self, "DatabaseSecurityGroupId", value=self.database.security_group_id)

    def _group(self, name: str, about: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self, name, vpc=self.vpc, description=about, allow_all_outbound=False, disable_inline_rules=False
        )
