"""The names that Azure gives to what may be allowed, as far as a call of this room needs one.

Blob storage: https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory, the permissions for each
operation. Machine learning: https://learn.microsoft.com/azure/role-based-access-control/permissions/ai-machine-learning
"""

CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"
CONTAINER_READ = f"{CONTAINERS}/read"
CONTAINER_WRITE = f"{CONTAINERS}/write"
BLOBS = f"{CONTAINERS}/blobs"
"""What lies below is a data action, and only those can have conditions."""
BLOB_READ = f"{BLOBS}/read"
"""Lists too, and lists of blocks."""
BLOB_WRITE = f"{BLOBS}/write"
BLOB_DELETE = f"{BLOBS}/delete"
DELEGATION_KEY = "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action"
ML = "Microsoft.MachineLearningServices/workspaces"
