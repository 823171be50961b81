"""What the Jenkinsfile calls, and what checks the Jenkinsfile."""
