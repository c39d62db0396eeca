from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('preferences', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Tombstone',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address_hash', models.BinaryField(max_length=32, unique=True)),
                ('unsubscribed_all', models.BooleanField(default=False)),
                ('categories', models.JSONField(blank=True, default=dict, help_text='Those that were left, each false.')),
                ('suppressed', models.BooleanField(default=False, help_text='The address had bounced or complained.')),
                ('created_at', models.DateTimeField()),
                ('updated_at', models.DateTimeField()),
            ],
        ),
    ]
