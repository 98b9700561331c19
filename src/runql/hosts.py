"""The hosts of W&B's own cloud, and the web pages' URLs of any server."""

from __future__ import annotations

from urllib.parse import urlsplit

# One deployment with two names: wandb 0.31 uses the second, earlier versions the first.
CLOUD_API_HOSTS = ("api.wandb.ai", "api.forge.coreweave.com")

_FORGE = "forge.coreweave.com"
_FORGE_PAGES = "wandb"


def is_wandb_cloud(host: str) -> bool:
    """Whether the host belongs to W&B's cloud, which serves https alone."""
    return any(host == domain or host.endswith(f".{domain}") for domain in ("wandb.ai", _FORGE))


def api_url_for_app_host(host: str) -> str | None:
    """Return the API's URL for a host that serves the cloud's web pages; None for every other host."""
    if not is_wandb_cloud(host) or "api" in host.split("."):
        return None
    return f"https://api.{_FORGE}" if host.endswith(_FORGE) else f"https://{CLOUD_API_HOSTS[0]}"


def app_url_of(base_url: str) -> str:
    """Return the web pages' URL of a server, by the rules of the official SDK."""
    if urlsplit(base_url).hostname == f"api.{_FORGE}":
        return f"https://{_FORGE}/{_FORGE_PAGES}"
    if "://api.wandb." in base_url and "://api.wandb.test" not in base_url:
        return base_url.replace("://api.", "://", 1)
    return base_url.replace("://api.", "://app.", 1)


def app_path_prefix(host: str | None) -> str | None:
    """Return the first part of every page's path on this host, when that is not an entity."""
    return _FORGE_PAGES if host == _FORGE else None


def netrc_machines(base_url: str) -> list[str]:
    """Return the machine names under which netrc may hold a server's key, the most specific first."""
    parts = urlsplit(base_url)
    # The name with the port comes first: two servers may share a host.
    names = [parts.netloc, parts.hostname or ""]
    return [*names, *CLOUD_API_HOSTS] if parts.netloc in CLOUD_API_HOSTS else names
