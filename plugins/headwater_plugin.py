"""Mounts the console into Airflow: behind its login, in its navigation."""

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from airflow.plugins_manager import AirflowPlugin
from headwater_console.app import create_app

from headwater.adapters.home import Home

__all__ = ["HeadwaterPlugin"]

PREFIX = "/headwater"


def _view(name: str, route: str, path: str) -> dict[str, object]:
    return {
        "name": name,
        "href": f"{PREFIX}{path}",
        "destination": "nav",
        "url_route": route,
        "icon": f"{PREFIX}/static/{route}.svg",
        "nav_top_level": True,
    }


# Whoever may start the coding of items may decide about them.
_AUTHORIZE = requires_access_dag("POST", DagAccessEntity.RUN, param_dag_id="code_items")


class HeadwaterPlugin(AirflowPlugin):
    """The console and, one click away from every page, the newest quality report."""

    name = "headwater"
    fastapi_apps = [
        {
            "app": create_app(Home.from_environment(), authenticate=get_user, authorize=_AUTHORIZE),
            "url_prefix": PREFIX,
            "name": "headwater",
        }
    ]
    external_views = [
        _view("监管台 Console", "console", "/"),
        _view("质量报告 Quality", "quality", "/quality"),
    ]
