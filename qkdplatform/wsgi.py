"""The WSGI application: behind waitress locally, behind API Gateway on Lambda."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "qkdplatform.settings")

application = get_wsgi_application()
