"""Dashboard, alarms and saved queries of a stage."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_logs as logs
from config import Config
from constructs import Construct
from state import State

MINUTE = cdk.Duration.minutes(1)
FIVE = cdk.Duration.minutes(5)
NAMESPACE = "QuantumKeys"
CERTIFICATE_DAYS = 30
BOARDS = {"platform": ("API", "Encryption", "Keys", "Work"), "security": ("Links", "Oversight")}
STATISTICS = {"counter": "Sum", "gauge": "Average", "distribution": "p99"}
QUERIES = {
    "errors": "fields @timestamp, message, location | filter level in ['ERROR', 'CRITICAL'] | sort @timestamp desc",
    "latency": (
        "filter @type = 'REPORT' | stats count() as calls, pct(@duration, 50) as p50, pct(@duration, 99) as p99,"
        " max(@maxMemoryUsed / 1024 / 1024) as memory_mb by bin(5m)"
    ),
    "cold starts": "filter @type = 'REPORT' and ispresent(@initDuration) | stats count(), pct(@initDuration, 90) by bin(1h)",
    "cost": "filter @type = 'REPORT' | stats sum(@billedDuration * @memorySize / 1024 / 1000 / 1048576) as gb_seconds by bin(1d)",
}


class Observability(cdk.Stack):
    """What tells that something is wrong; every alarm goes to the stage's topic."""

    def __init__(
        self,
        scope: Construct,
        config: Config,
        state: State,
        *,
        catalog: list[dict[str, Any]],
        api_name: str,
        **more: Any,
    ) -> None:
        super().__init__(scope, f"{config.prefix}-observability", **more)
        self.config, self.state = config, state
        self._action = actions.SnsAction(state.alerts)
        api = {"ApiName": api_name, "Stage": config.stage}
        self.alarms = [
            self._alarm("ApiErrors", self._metric("AWS/ApiGateway", "5XXError", api), 5, "The API failed"),
            self._alarm(
                "ApiLatency",
                self._metric("AWS/ApiGateway", "Latency", api, "p99"),
                10_000,
                "One request in a hundred takes longer than 10 s",
                periods=3,
            ),
            *(
                alarm
                for name in (config.api_function, config.worker_function)
                for alarm in self._function(name)
            ),
            *self._queues(),
            *self._tables(),
            *self._certificates(),
            *(self._of_the_platform(one) for one in catalog if one["alarm"]),
        ]
        cloudwatch.CompositeAlarm(
            self,
            "Unwell",
            composite_alarm_name=f"{config.prefix}-unwell",
            alarm_rule=cloudwatch.AlarmRule.any_of(*self.alarms),
        ).add_alarm_action(self._action)
        self._dashboard(api)
        self._platform(catalog)
        self._queries()

    def _metric(
        self, namespace: str, name: str, dimensions: dict[str, str], statistic: str = "Sum"
    ) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=namespace, metric_name=name, dimensions_map=dimensions, statistic=statistic, period=FIVE
        )

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        about: str,
        *,
        periods: int = 1,
        below: bool = False,
    ) -> cloudwatch.Alarm:
        compare = cloudwatch.ComparisonOperator
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{self.config.prefix}-{name}",
            alarm_description=f"{about}. What to do: docs/operations.md",
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=compare.LESS_THAN_THRESHOLD
            if below
            else compare.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(self._action)
        return alarm

    def _of_the_platform(self, one: dict[str, Any]) -> cloudwatch.Alarm:
        """An alarm of the platform's own list, by a query: its metrics are kept for each link, state and so on."""
        told = one["alarm"]
        schema = ", ".join([f'"{NAMESPACE}"', *one["dimensions"]])
        where = f" WHERE {told['where']}" if told["where"] else ""
        query = cloudwatch.MathExpression(
            expression=f"SELECT {told['statistic']}({one['name']}) FROM SCHEMA({schema}){where}",  # noqa: S608 - of CloudWatch, from our own list
            using_metrics={},
            period=FIVE,
        )
        return self._alarm(
            f"Platform{one['name']}",
            query,
            told["threshold"],
            told["about"],
            periods=told["periods"],
            below=told["below"],
        )

    def _platform(self, catalog: list[dict[str, Any]]) -> None:
        """A dashboard of the platform's own metrics, and one of what tells of attacks; each metric is a graph."""
        for name, sections in BOARDS.items():
            widgets: list[list[cloudwatch.IWidget]] = []
            for section in sections:
                widgets.append([cloudwatch.TextWidget(markdown=f"# {section}", width=24, height=1)])
                widgets.append([_graph(one) for one in catalog if one["section"] == section])
            cloudwatch.Dashboard(
                self, name.title(), dashboard_name=f"{self.config.prefix}-{name}", widgets=widgets
            )

    def _certificates(self) -> list[cloudwatch.Alarm]:
        """ACM renews what it validates by DNS 60 days before the end; below 30 it did not, or nobody can but an operator."""
        of_domains = {
            "Certificate": self.config.certificate_arn,
            "KmeCertificate": self.config.kme_certificate_arn,
        }
        return [
            self._alarm(
                f"{name}Ends",
                cloudwatch.Metric(
                    namespace="AWS/CertificateManager",
                    metric_name="DaysToExpiry",
                    dimensions_map={"CertificateArn": arn},
                    statistic="Minimum",
                    period=cdk.Duration.days(1),  # ACM tells it twice a day
                ),
                CERTIFICATE_DAYS,
                f"The certificate of a domain ends in fewer than {CERTIFICATE_DAYS} days",
                below=True,
            )
            for name, arn in of_domains.items()
            if arn
        ]

    def _function(self, name: str) -> list[cloudwatch.Alarm]:
        own, title = {"FunctionName": name}, "".join(part.title() for part in name.split("-"))
        limit = (
            self.config.worker_timeout_seconds
            if name.endswith("-worker")
            else self.config.api_timeout_seconds
        )
        return [
            self._alarm(f"{title}Errors", self._metric("AWS/Lambda", "Errors", own), 1, f"{name} failed"),
            self._alarm(
                f"{title}Throttles", self._metric("AWS/Lambda", "Throttles", own), 1, f"{name} is throttled"
            ),
            self._alarm(
                f"{title}Duration",
                self._metric("AWS/Lambda", "Duration", own, "Maximum"),
                limit * 950,
                f"{name} came within 5 % of its time-out",
            ),
        ]

    def _queues(self) -> list[cloudwatch.Alarm]:
        queues = self.state.queues
        age = queues.jobs.metric_approximate_age_of_oldest_message(period=FIVE, statistic="Maximum")
        uploads = queues.upload_events.metric_approximate_age_of_oldest_message(
            period=FIVE, statistic="Maximum"
        )
        dead = queues.dead_letters.metric_approximate_number_of_messages_visible(
            period=MINUTE, statistic="Maximum"
        )
        return [
            self._alarm("DeadLetters", dead, 1, "An event failed at every attempt"),
            self._alarm("JobsWait", age, 3_600, "A job has waited for an hour"),
            self._alarm("UploadsWait", uploads, 3_600, "An upload has waited for an hour"),
        ]

    def _tables(self) -> list[cloudwatch.Alarm]:
        return [
            self._alarm(
                f"{name.title().replace('-', '')}Throttled",
                self._metric("AWS/DynamoDB", "ReadThrottleEvents", {"TableName": table.table_name}),
                1,
                f"Reads of {table.table_name} are throttled",
            )
            for name, table in self.state.tables.by_name.items()
            if name in {"audit", "files", "sessions", "pool-keys"}
        ]

    def _dashboard(self, api: dict[str, str]) -> None:
        names = (self.config.api_function, self.config.worker_function)

        def graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
            return cloudwatch.GraphWidget(title=title, left=list(metrics), width=8)

        queues = self.state.queues
        cloudwatch.Dashboard(
            self,
            "Operations",
            dashboard_name=f"{self.config.prefix}-operations",
            widgets=[
                [
                    graph("Requests", self._metric("AWS/ApiGateway", "Count", api)),
                    graph(
                        "Failed requests",
                        *(self._metric("AWS/ApiGateway", name, api) for name in ("4XXError", "5XXError")),
                    ),
                    graph("Latency, p99 (ms)", self._metric("AWS/ApiGateway", "Latency", api, "p99")),
                ],
                [
                    graph(
                        "Errors", *(self._metric("AWS/Lambda", "Errors", {"FunctionName": n}) for n in names)
                    ),
                    graph(
                        "Duration, p99 (ms)",
                        *(self._metric("AWS/Lambda", "Duration", {"FunctionName": n}, "p99") for n in names),
                    ),
                    graph(
                        "Messages waiting",
                        *(
                            q.metric_approximate_number_of_messages_visible()
                            for q in (queues.jobs, queues.custody, queues.upload_events, queues.dead_letters)
                        ),
                    ),
                ],
                [cloudwatch.AlarmStatusWidget(title="Alarms", alarms=self.alarms, width=24)],
            ],
        )

    def _queries(self) -> None:
        groups = [group.log_group_name for group in self.state.log_groups]
        for name, text in QUERIES.items():
            logs.CfnQueryDefinition(
                self,
                "".join(part.title() for part in name.split()),
                name=f"{self.config.prefix}/{name}",
                query_string=text,
                log_group_names=groups,
            )


def _graph(one: dict[str, Any]) -> cloudwatch.GraphWidget:
    """The graph of one metric, a line for each value of its dimensions."""
    schema = ",".join([NAMESPACE, *one["dimensions"]])
    statistic = STATISTICS[one["kind"]]
    search = f"SEARCH('{{{schema}}} MetricName=\"{one['name']}\"', '{statistic}', 300)"
    lines = cloudwatch.MathExpression(expression=search, using_metrics={}, label="", period=FIVE)
    title = f"{one['name']} ({one['unit']}, {statistic})"
    return cloudwatch.GraphWidget(title=title, left=[lines], width=8)
