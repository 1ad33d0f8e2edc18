"""The WSGI application: behind waitress locally, behind API Gateway on Lambda."""

import os

from django.core.wsgi import get_wsgi_application

from apps.common.wsgi import without_head_bodies

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "qkdplatform.settings")

application = without_head_bodies(get_wsgi_application())
