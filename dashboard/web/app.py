"""I/O: joins pages, `/api/v1` and the store into one application."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import quote, unquote

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html, set_props
from dash.backends._fastapi import reset_current_request, set_current_request
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from attribution.invest.job import InvestJob
from collector.core.errors import MillworthError, first_line
from collector.core.log import get_logger
from dashboard.api.amounts import StatedAmounts
from dashboard.api.app import create_api, question_workers
from dashboard.api.caller import current
from dashboard.api.context import AppContext
from dashboard.api.errors import http_error
from dashboard.mcp.endpoint import serve_tools
from dashboard.pages.alerts import detail as alert
from dashboard.pages.alerts import page as alerts
from dashboard.pages.answers import budgets, health, network, trust, velocity
from dashboard.pages.context import ERROR_ID, PageContext, in_browser
from dashboard.pages.decision import page as decision
from dashboard.pages.decisions import page as decisions
from dashboard.pages.explore import page as explore
from dashboard.pages.overview import page as overview
from dashboard.pages.sources import Sources
from dashboard.read.workers import Workers
from dashboard.web.abandoned import AbandonedRequests
from dashboard.web.asker import Asker
from dashboard.web.bundle import ASSETS_DIR, bundle, serve_bundles
from dashboard.web.dash_requests import DashRequests
from dashboard.web.episode_links import EpisodeLinks
from dashboard.web.kept_files import KeptFiles
from dashboard.web.opened_pages import OpenedPages
from dashboard.web.roles import RoleGuard, why_not
from dashboard.web.security import (
    SIGN_IN,
    RequestGuard,
    SecurityHeaders,
    content_security_policy,
)
from dashboard.web.sign_in import serve_sign_in

# Charts alone need it: the browser loads it where it draws one (assets/boot.js).
PLOTLY = ASSETS_DIR / "vendor" / "plotly-cartesian.min.js"
# In the order of the menu. A page declares PATH, TITLE and IN_MENU, and registers its callbacks.
PAGES = (
    overview,
    alerts,
    alert,
    explore,
    decisions,
    decision,
    budgets,
    velocity,
    network,
    trust,
    health,
)

_INDEX = """<!DOCTYPE html>
<html lang="en">
    <head>
        {%metas%}
        <title>{%title%}</title>
        <script src="/assets/boot.js"></script>
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
        {%css%}
        <link rel="stylesheet" href="__STYLES__">
    </head>
    <body data-currency="__CURRENCY__">
        <a class="skip" href="#page">Skip to the page</a>
        <div id="pulse" role="alert" hidden>
            <span></span> <button type="button" hidden>Try again</button>
            <a href="/health">Health</a>
        </div>
        {%app_entry%}
        <footer>
            {%config%}
            {%scripts%}
            <script src="__SCRIPTS__"></script>
            {%renderer%}
        </footer>
    </body>
</html>"""

_log = get_logger("dashboard")


def create_app(app_context: AppContext) -> Dash:
    """Return the application; `.server` is the FastAPI application that uvicorn runs."""
    workers = Workers(app_context.dashboard.workers, "pages")
    questions = question_workers()
    sources = Sources.over(app_context.store, app_context.attribution)
    context = PageContext(
        reader=app_context.reader,
        health=app_context.health,
        workers=workers,
        config=app_context.dashboard,
        clock=app_context.clock,
        reference=app_context.reference,
        prior_basis=app_context.attribution.slope.basis,
        compare=sources.analyst.compare,
        questions=questions,
        sources=sources,
        decisions=app_context.decisions,
        alert_state=app_context.alert_state,
        alerts=app_context.alerts,
        judged=InvestJob(app_context.attribution, app_context.store).verdicts,
        refusal=partial(why_not, "POST /api/v1/alerts/{episode_id}/ack"),
        door=app_context.door,
        shared=app_context.shared,
    )
    in_menu = [(module.PATH, module.TITLE) for module in PAGES if module.IN_MENU]
    server = create_api(app_context, workers, questions, in_menu)
    serve_tools(server, app_context.clock)
    serve_sign_in(server)
    app = _dash(server, app_context.attribution.currency)
    # Otherwise each page opens a WebSocket beside the requests that its callbacks make.
    app.backend.websocket_capability = False
    app.layout = _shell()
    for module in PAGES:
        module.register(app, context)
    _register_frame(app, context)
    # Dash does this on the first request of "/" only; a permalink may be the first of all.
    app._setup_server()
    _serve_pages(app)
    policy = content_security_policy(app.csp_hashes())
    server.add_middleware(OpenedPages, begin=context.begin)
    server.add_middleware(KeptFiles)
    server.add_middleware(DashRequests, dash_app=app)
    server.add_middleware(EpisodeLinks)
    server.add_middleware(AbandonedRequests)
    server.add_middleware(RoleGuard)
    server.add_middleware(
        RequestGuard, public_url=app_context.dashboard.public_url, host=app_context.dashboard.host
    )
    server.add_middleware(SecurityHeaders, policy=policy)
    server.add_middleware(
        Asker, pages=frozenset(_paths()), seconds=app_context.counters.request_seconds
    )
    # Around all, since what an opened page begins is read in the context that it finds.
    server.add_middleware(StatedAmounts, currency=app_context.attribution.currency)
    return app


def _dash(server: FastAPI, currency: str) -> Dash:
    scripts, styles = bundle("js"), bundle("css")
    serve_bundles(server, scripts, styles)
    index = _INDEX.replace("__SCRIPTS__", scripts.href).replace("__STYLES__", styles.href)
    index = index.replace("__CURRENCY__", currency)
    return Dash(
        "dashboard",
        server=server,
        backend="fastapi",
        title="Millworth",
        update_title="",
        index_string=index,
        assets_folder=str(ASSETS_DIR),
        # The index names what is loaded of them.
        assets_ignore=".*",
        compress=True,
        suppress_callback_exceptions=True,
        on_error=_show_failure,
        meta_tags=[
            {"name": "viewport", "content": "width=device-width, initial-scale=1"},
            *_plotly_tags(),
        ],
        add_log_handler=False,
    )


def _plotly_tags() -> list[dict[str, str]]:
    """Return where the small bundle is; none where it was not installed, and Dash's own is."""
    if not PLOTLY.is_file():
        return []
    path = PLOTLY.relative_to(ASSETS_DIR)
    return [{"name": "plotly", "content": f"/assets/{path}?m={PLOTLY.stat().st_mtime}"}]


def _shell() -> Any:  # noqa: ANN401  a Dash component
    """Return the frame around every page: header, menu, the error panel, and the page's place."""
    header = html.Div(
        [
            dmc.Burger(id="menu-burger", size="sm", hiddenFrom="sm", **_label("Menu")),
            html.A("Millworth", href="/", className="brand"),
            html.Span("what each millisecond is worth", className="note tagline"),
            html.Button(
                [html.Span("Search", className="search-word"), html.Kbd("Ctrl K")],
                id="search-open",
                className="search-open",
                **{"aria-keyshortcuts": "Control+K"},
            ),
            html.Button("?", id="help-open", title="Keys and links", **_label("Keys and links")),
            dmc.SegmentedControl(
                id="theme",
                data=[
                    {"value": value, "label": label}
                    for value, label in (("light", "Light"), ("dark", "Dark"), ("auto", "System"))
                ],
                value="auto",
                size="xs",
                persistence=True,
                persistence_type="local",
                **_label("Colour scheme"),
            ),
        ],
        className="header",
    )
    menu = [dmc.NavLink(id=f"menu{m.PATH}", label=m.TITLE, href=m.PATH) for m in PAGES if m.IN_MENU]
    # Whom a token, a session or a proxy says that looks; nothing where nobody is asked.
    who = html.A(id="who", href=SIGN_IN, className="note who")
    return dmc.MantineProvider(
        [
            dcc.Location(id="url", refresh="callback-nav"),
            dcc.Store(id="route"),
            dcc.Store(id="zone"),
            dcc.Store(id="titles", data={page.PATH: page.TITLE for page in PAGES}),
            dmc.AppShell(
                [
                    dmc.AppShellHeader(header),
                    dmc.AppShellNavbar([*menu, who], p="xs"),
                    dmc.AppShellMain(
                        [
                            html.Div(id=ERROR_ID, className="error", role="alert", hidden=True),
                            html.Div(id="page", tabIndex=-1),
                        ]
                    ),
                ],
                id="frame",
                header={"height": 48},
                navbar={"width": 152, "breakpoint": "sm", "collapsed": {"mobile": True}},
                padding="sm",
            ),
        ],
        id="mantine",
        defaultColorScheme="auto",
        # The usual shade is too pale for white letters on it.
        theme={"primaryColor": "blue", "primaryShade": 8, "cursorType": "pointer"},
    )


def _register_frame(app: Dash, context: PageContext) -> None:
    """Attach what every page shares; what only the browser can know runs in the browser."""

    def open_page(route: str | None, _zone: object, query: str | None) -> Any:  # noqa: ANN401  a page
        if who := str(current()):
            set_props("who", {"children": who})
        path = (route or "").partition(" ")[0]  # behind it stands what the page is of
        for module in PAGES:
            if path == module.PATH:
                context.begin(module.PATH, query)
                return module.layout(query or "", context)
        return html.Div([html.H1("No such page"), html.A("Go to the overview", href="/")])

    app.callback(
        Output("page", "children"),
        Input("route", "data"),
        Input("zone", "data"),  # by another clock a page is drawn anew, headings and all
        State("url", "search"),
        prevent_initial_call=True,
    )(open_page)

    in_browser(
        app,
        "route",
        [Output("route", "data"), Output("zone", "data")],
        Input("url", "pathname"),
        Input("url", "search"),
        State("route", "data"),
        State("zone", "data"),
        State("titles", "data"),
    )
    in_menu = [module.PATH for module in PAGES if module.IN_MENU]
    in_browser(
        app,
        "menuLinks",
        [Output(f"menu{path}", "href") for path in in_menu],
        Input("url", "search"),
        *(State(f"menu{path}", "href") for path in in_menu),
    )
    in_browser(
        app,
        "menuMark",
        [Output(f"menu{path}", "active") for path in in_menu],
        Input("route", "data"),
        *(State(f"menu{path}", "href") for path in in_menu),
    )
    in_browser(app, "theme", Output("mantine", "forceColorScheme"), Input("theme", "value"))
    in_browser(
        app,
        "menu",
        [Output("frame", "navbar"), Output("menu-burger", "opened")],
        Input("menu-burger", "opened"),
        Input("route", "data"),
        State("frame", "navbar"),
    )


def _serve_pages(app: Dash) -> None:
    """Answer each page's path with the index; any other path is 404, as it should be."""

    def index(request: Request, status: int) -> HTMLResponse:
        # Dash sets this for "/" itself, and its index reads it.
        token = set_current_request(request)
        try:
            return HTMLResponse(app.index(), status_code=status)
        finally:
            reset_current_request(token)

    async def page(request: Request) -> Response:
        raw: bytes = request.scope.get("raw_path") or b""
        try:
            unquote(raw.decode("ascii"), errors="strict")
        except UnicodeDecodeError:
            # The browser could not read the address either, and would draw nothing.
            return RedirectResponse(quote(request.url.path), 302)
        if request.url.path == decision.PATH and not request.query_params.get("id"):
            # The list was at the address of one decision, and people guess it.
            query = request.url.query
            return RedirectResponse(f"{decisions.PATH}?{query}" if query else decisions.PATH, 307)
        return index(request, 200)

    async def missing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        wants_page = "text/html" in request.headers.get("accept", "")
        if wants_page and not request.url.path.startswith("/api/"):
            return index(request, 404)
        return await http_error(request, error)

    for path in _paths() - {"/"}:
        # An id is whatever somebody wrote into the address.
        served = path.replace("{id}", "{id:path}")
        app.server.add_api_route(served, page, methods=["GET"], include_in_schema=False)
    app.server.add_exception_handler(404, missing)


def _paths() -> set[str]:
    """Return the paths of the pages; `{id}` at the end of one is any text."""
    return {module.PATH for module in PAGES}


def _show_failure(error: Exception) -> None:
    """Turn a failed reading into one visible panel and one log line; figures stay as they were."""
    known = isinstance(error, MillworthError)
    _log.error(
        "page_read_failed",
        error=f"{type(error).__name__}: {first_line(error, 500)}",
        exc_info=None if known else error,
    )
    said = first_line(error) if known else "an error of ours; the log has it"
    set_props(
        ERROR_ID,
        {
            "hidden": False,
            "children": f"This page could not be read: {said}. What is shown is from the reading "
            "before. It is tried again by itself.",
        },
    )


def _label(text: str) -> dict[str, str]:
    return {"aria-label": text}
