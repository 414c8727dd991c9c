"""Accounts and logins.

The access token is in the body, the refresh token in a cookie that no script can read.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Cookie, Form, HTTPException, Request, Response

from alarmstack.services.gateway import logins
from alarmstack.services.gateway.access import COOKIE, DEVICE_COOKIE, Viewer, check_origin
from alarmstack.services.gateway.credentials import DEVICE_LIFE, REFRESH_LIFE
from alarmstack.services.gateway.problems import answers
from alarmstack.services.gateway.state import Gateway
from alarmstack.services.schemas.gateway import (
    PasswordChange,
    Person,
    Registration,
    Session,
    SignIn,
)

router = APIRouter(prefix="/auth", tags=["auth"])
RefreshCookie = Annotated[str | None, Cookie(alias=COOKIE, include_in_schema=False)]
DeviceCookie = Annotated[str | None, Cookie(alias=DEVICE_COOKIE, include_in_schema=False)]


@router.get("/signin", summary="Settings of the login page")
async def signin(state: Gateway) -> SignIn:
    """Public: it contains nothing about any account."""
    return SignIn(
        registration=state.settings.registration,
        plant_title=state.plant.title,
        simulated=state.monitor.simulated,
    )


@router.post(
    "/register",
    status_code=201,
    summary="Create an account",
    responses=answers(400, 403, 409, 413, 422, 429),
)
async def register(
    state: Gateway, request: Request, response: Response, wanted: Registration
) -> Session:
    """Create an account and log in to it. An invitation decides the role."""
    check_origin(state, request)
    return _keep(response, request, await logins.register(state, wanted, _address(request)))


@router.post("/login", summary="Log in", responses=answers(400, 401, 403, 413, 422, 429))
async def login(
    state: Gateway,
    request: Request,
    response: Response,
    username: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=200)],
    device: DeviceCookie = None,
) -> Session:
    """Exchange name and password for an access token and a refresh cookie."""
    check_origin(state, request)
    return _keep(
        response, request, await logins.log_in(state, username, password, _address(request), device)
    )


@router.post("/refresh", summary="Stay logged in", responses=answers(401, 403, 422))
async def refresh(
    state: Gateway, request: Request, response: Response, token: RefreshCookie = None
) -> Session:
    """Exchange the refresh cookie for the next one and a new access token."""
    check_origin(state, request, cookie=True)
    if token is None:
        raise HTTPException(
            401, "not logged in: no refresh cookie was sent", {"WWW-Authenticate": "Bearer"}
        )
    return _keep(response, request, await logins.refresh(state, token))


@router.post("/logout", status_code=204, summary="Log out", responses=answers(403, 422))
async def logout(
    state: Gateway, request: Request, response: Response, token: RefreshCookie = None
) -> None:
    """End this login at once. Other logins of the account continue."""
    check_origin(state, request, cookie=True)
    await logins.log_out(state, token)
    response.delete_cookie(
        COOKIE, path="/", httponly=True, samesite="strict", secure=_encrypted(request)
    )


@router.post(
    "/password", summary="Change the password", responses=answers(400, 401, 403, 413, 422, 429)
)
async def password(
    state: Gateway,
    person: Viewer,
    request: Request,
    response: Response,
    change: PasswordChange,
    device: DeviceCookie = None,
) -> Session:
    """All logins of the account end, with their open streams. A new login begins."""
    return _keep(
        response,
        request,
        await logins.change_password(state, person, change, _address(request), device),
    )


@router.get("/me", summary="Who is logged in", responses=answers(401))
async def me(person: Viewer) -> Person:
    """The account of the access token, with its present role."""
    return person.person


def _keep(response: Response, request: Request, login: logins.Login) -> Session:
    """Put the refresh token, and the device token if there is one, into cookies."""
    _set_cookie(response, request, COOKIE, login.refresh_token, REFRESH_LIFE)
    if login.device_token is not None:
        _set_cookie(response, request, DEVICE_COOKIE, login.device_token, DEVICE_LIFE)
    return login.session


def _set_cookie(
    response: Response, request: Request, name: str, value: str, life: timedelta
) -> None:
    """Set a cookie that no script can read and that pages of other sites do not send."""
    response.set_cookie(
        name,
        value,
        max_age=int(life.total_seconds()),
        path="/",
        httponly=True,
        samesite="strict",
        secure=_encrypted(request),
    )


def _encrypted(request: Request) -> bool:
    return request.url.scheme == "https"


def _address(request: Request) -> str:
    """The address of the client, if it is known."""
    return request.client.host if request.client else "unknown"


__all__ = ["router"]
