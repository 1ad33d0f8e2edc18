from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('access', '0003_issue_api_keys'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='user',
            options={'permissions': [('see_every_owner', 'Can see the records of every owner')], 'verbose_name': 'person', 'verbose_name_plural': 'people'},
        ),
    ]
