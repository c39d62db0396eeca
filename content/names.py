"""The names of the events that this product sends and listens to."""

from typing import Final

USER_CREATED: Final = "user.created"
USER_DELETED: Final = "user.deleted"
APP_ACTIVE: Final = "app.active"
KEY_ACTION: Final = "key.action"
FEATURE_USED: Final = "feature.used"
ORDER_COMPLETED: Final = "order.completed"
