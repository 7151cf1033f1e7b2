"""The pages' addresses (CONTRACT section 4)."""

from django.contrib.auth import views as auth
from django.urls import path

from .views import account, bulk, downloads, find, flows, keys, run, run_acts, runs, saved_views, search, webhooks

urlpatterns = [
    path("", runs.home, name="home"),
    path("runs/", runs.run_list, name="run_list"),
    path("runs/<str:uid>/", run.run_detail, name="run_detail"),
    path("runs/<str:uid>/status/", run.run_status, name="run_status"),
    path("runs/<str:uid>/log/", run.run_log, name="run_log"),
    path("runs/<str:uid>/find/", find.run_find, name="run_find"),
    path("runs/<str:uid>/payloads/<uuid:payload>/", run.run_payload, name="run_payload"),
    path("runs/<str:uid>/retry/", run_acts.retry, name="run_retry"),
    path("runs/<str:uid>/stop/", run_acts.stop, name="run_stop"),
    path("runs/<str:uid>/resume/", run_acts.resume, name="run_resume"),
    path("runs/<str:uid>/review/", run_acts.review, name="run_review"),
    path("runs/<str:uid>/download/", run_acts.download, name="run_download"),
    path("flows/", flows.flow_list, name="flow_list"),
    path("flows/<str:slug>/", flows.flow_detail, name="flow_detail"),
    path("flows/<str:slug>/start/", flows.flow_start, name="flow_start"),
    path("flows/<str:slug>/schedule/", flows.flow_schedule, name="flow_schedule"),
    path("flows/<str:slug>/secrets/", webhooks.secret_make, name="secret_make"),
    path("flows/<str:slug>/secrets/<int:secret>/revoke/", webhooks.secret_revoke, name="secret_revoke"),
    path("flows/<str:slug>/deliveries/", webhooks.delivery_list, name="delivery_list"),
    path("flows/<str:slug>/deliveries/<uuid:delivery>/", webhooks.delivery_detail, name="delivery_detail"),
    path("flows/<str:slug>/deliveries/<uuid:delivery>/resend/", webhooks.delivery_resend, name="delivery_resend"),
    path("views/", saved_views.view_list, name="view_list"),
    path("views/keep/", saved_views.view_keep, name="view_keep"),
    path("views/first/", saved_views.view_first, name="view_first"),
    path("views/<uuid:view>/", saved_views.view_change, name="view_change"),
    path("views/<uuid:view>/delete/", saved_views.view_delete, name="view_delete"),
    path("search/", search.search, name="search"),
    path("downloads/", downloads.download_list, name="download_list"),
    path("downloads/<uuid:download>/", downloads.download_content, name="download_content"),
    path("downloads/<uuid:download>/again/", downloads.download_again, name="download_again"),
    # What open pages ask for, and what is done to many: beside the tree above, where any word may be a run's id.
    path("export/runs.csv", runs.run_list_csv, name="run_list_csv"),
    path("live/runs/", runs.run_list_live, name="run_list_live"),
    path("bulk/runs/", bulk.act_on_runs, name="act_on_runs"),
    path("live/downloads/", downloads.download_list_live, name="download_list_live"),
    path("account/", account.account, name="account"),
    path("account/theme/", account.set_theme, name="set_theme"),
    path("account/run-list/", account.set_run_list, name="set_run_list"),
    path("account/tenant/", account.set_tenant, name="set_tenant"),
    path("account/keys/", keys.key_list, name="key_list"),
    path("account/keys/<uuid:key>/revoke/", keys.key_revoke, name="key_revoke"),
    path("account/password/", auth.PasswordChangeView.as_view(), name="password_change"),
    path("account/password/done/", auth.PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
]
