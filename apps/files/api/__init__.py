"""The API: views, and the serializers of what goes in and out."""
