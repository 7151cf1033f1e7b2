"""All settings, in one file. The environment is read through typed readers that fail with a sentence.

The README lists every variable. Numbers that bound a resource stand at the end, each with its unit.
"""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from runs_dashboard.definition.sizes import parse_size

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "data"))).expanduser().resolve()
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
HTTPS = env.bool("HTTPS", default=False)
HTTP_ALLOW = env.str("HTTP_ALLOW", default="")
BROKER_URL = env.str("BROKER_URL", default="")


def read_size(name: str, text: str) -> int:
    """A size such as `20GiB`, in bytes."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from error


def read_secret_key() -> str:
    """The key of the environment, else the one kept under the data folder, made on first use (mode 0600)."""
    given = env.str("SECRET_KEY", default="")
    if given:
        if len(given) < 20 or given.startswith(("django-insecure", "changeme", "change-me", "secret")):
            raise ImproperlyConfigured("SECRET_KEY is a placeholder: give at least 20 random characters.")
        return given
    kept = DATA_DIR / "secret_key"
    try:
        return kept.read_text().strip()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ImproperlyConfigured(f"The secret key {kept} cannot be read: {error.strerror}.") from error
    try:
        DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=DATA_DIR, prefix="secret_key.")  # mode 0600
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(50))
        # The file appears whole: of two processes that start at once, one gives it its name and both read it.
        with contextlib.suppress(FileExistsError):
            os.link(name, kept)
        os.unlink(name)
        return kept.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"The data folder {DATA_DIR} cannot be written: {error.strerror}. Name another one by DATA_DIR."
        ) from error


SECRET_KEY = read_secret_key()

INSTALLED_APPS = [
    "runs_dashboard",
    "runs_dashboard.admin_site.DashboardAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_filters",
    "django_tables2",
    "django_htmx",
    "rest_framework",
    "axes",
    "csp",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "runs_dashboard.web.assets.StaticFilesMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "runs_dashboard.middleware.TenantMiddleware",
    "runs_dashboard.middleware.QueryTimeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "runs_dashboard.urls"
ASGI_APPLICATION = "runs_dashboard.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- database ---------------------------------------------------------------------------------------------------

_database = env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'db.sqlite3'}")
if _database["ENGINE"].endswith("sqlite3"):
    _database["CONN_MAX_AGE"] = 600  # seconds; to open one and read the schema costs as much as three queries
    _database["OPTIONS"] = {
        # A deferred transaction that read first cannot be upgraded however long it waits: 315 of 400 failed.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            # Nothing here may write, as auto_vacuum does: a new connection to read by would wait for the writers.
            "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA temp_store=MEMORY;"
            "PRAGMA cache_size=-8192;PRAGMA mmap_size=134217728;PRAGMA journal_size_limit=67108864;"
        ),
    }
elif _database["ENGINE"].endswith("postgresql"):
    _database["CONN_MAX_AGE"] = 0  # the pool keeps them
    _database["CONN_HEALTH_CHECKS"] = True  # without it the first request after a restart is a 500
    _database.setdefault("OPTIONS", {})["pool"] = {
        "min_size": 0,
        "max_size": env.int("DATABASE_POOL", default=12),
        "timeout": 10,
    }
else:
    raise ImproperlyConfigured("DATABASE_URL must name sqlite:// or postgres://.")
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- people -----------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "runs_dashboard.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/runs/"
LOGOUT_REDIRECT_URL = "login"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False

# --- protection -------------------------------------------------------------------------------------------------

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = env.bool("SSL_REDIRECT", default=False)
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- files ------------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "runs_dashboard.web.assets.StampedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True  # no collectstatic step between the clone and the first page
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_MAX_AGE = 0 if DEBUG else 31_536_000  # every address carries a stamp of its content
WHITENOISE_ALLOW_ALL_ORIGINS = False

# --- language, time ---------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
USE_I18N = False
FORMAT_MODULE_PATH = "runs_dashboard.formats"
USE_TZ = True
TIME_ZONE = "UTC"

# --- API --------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["runs_dashboard.api.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["runs_dashboard.api.permissions.RolePermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["runs_dashboard.api.parsers.StrictJSONParser"],
    "EXCEPTION_HANDLER": "runs_dashboard.api.errors.answer_error",
    "UNAUTHENTICATED_USER": None,
}

# --- the worker, its queue, the distributed engine ------------------------------------------------------------------

WORKER_SLOTS = env.int("WORKER_SLOTS", default=8)  # runs at once in one worker
LEASE_SECONDS = env.float("LEASE_SECONDS", default=8.0)  # a run whose worker is silent for so long is closed
BEAT_SECONDS = env.float("BEAT_SECONDS", default=2.0)
STOP_GRACE_SECONDS = env.float("STOP_GRACE_SECONDS", default=10.0)  # between SIGTERM and SIGKILL
DRAIN_SECONDS = env.float("DRAIN_SECONDS", default=20.0)  # what running runs get when the product is ended
RETENTION_DAYS = env.int("RETENTION_DAYS", default=90)  # 0 keeps everything
RETENTION_BYTES = read_size(
    "RETENTION_BYTES", env.str("RETENTION_BYTES", default="0")
)  # of a tenant's log, 0: no bound
DOWNLOAD_DAYS = env.int("DOWNLOAD_DAYS", default=7)

# --- a number for every resource ----------------------------------------------------------------------------------

DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 2**20  # bytes of a request body
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000
INFLATED_MAX_BYTES = 64 * 2**20  # bytes of a gzip body once inflated
LOG_MAX_BYTES = env.int("LOG_MAX_BYTES", default=4 * 2**30)  # of one run's log
STEP_LOG_MAX_BYTES = env.int("STEP_LOG_MAX_BYTES", default=256 * 2**20)  # of one step's output, unless its flow says
LOG_LINE_MAX = 65_536  # characters; a longer line goes on in the next entry
ARGS_MAX_BYTES = 1 * 2**20
PAYLOAD_MAX_BYTES = 256 * 2**10
LIVE_STREAMS = env.int("LIVE_STREAMS", default=4_000)  # open at once in one process; more are answered 503
LIVE_STREAMS_PER_USER = env.int("LIVE_STREAMS_PER_USER", default=1_500)  # more are answered 429
# Calls of the API a minute, 0 for no bound: of one key, of all keys of a tenant. Appending to logs is counted apart.
API_RATE_PER_KEY = env.int("API_RATE_PER_KEY", default=60_000)
API_RATE_PER_TENANT = env.int("API_RATE_PER_TENANT", default=240_000)
API_LOG_RATE_PER_KEY = env.int("API_LOG_RATE_PER_KEY", default=120_000)
API_LOG_RATE_PER_TENANT = env.int("API_LOG_RATE_PER_TENANT", default=480_000)
COUNT_LIMIT = 10_000  # totals beyond it are a lower bound

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"runs_dashboard": {"level": env.str("LOG_LEVEL", default="INFO")}},
}
